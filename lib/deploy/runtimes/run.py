"""Runs an exported file in its own runtime, as session.ts asks: run.py RUNTIME FILE SETTINGS

Messages are a length of 4 bytes (little-endian) and a safetensors file of float32 tensors, whose __metadata__ says what is asked
or answered: from standard input, and to file descriptor 3, since libraries print. `images` are [n, h, w, 3] in the numbers that
the file takes, 0..1 or 0..255; logits come back as [n, h, w, c].
"""

import json
import os
import struct
import sys
import time

import numpy as np

runtime, path, settings = sys.argv[1:]
settings = json.loads(settings)
THREADS = settings['threads']
NAMES = settings['outputs']
IS_NCHW = settings['layout'] == 'NCHW'
DTYPE = np.uint8 if settings['pixels'] == 'uint8' else np.float32


def saved_model():
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.saved_model.load(path)
    serve = model.signatures['serving_default']

    def run(images):
        found = serve(images=images)
        return [found[name].numpy() for name in NAMES]

    return tf.__version__, tf.constant, run, model


def onnxruntime():
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    return ort.__version__, None, lambda images: session.run(NAMES, {'images': images}), session


def openvino():
    import openvino as ov

    core = ov.Core()
    config = {'INFERENCE_NUM_THREADS': THREADS, 'PERFORMANCE_HINT': 'LATENCY'}
    # It binds its threads to cores by itself, and two processes with one thread each would share the same core.
    config['ENABLE_CPU_PINNING'] = False
    if settings['exact']:
        # On CPUs with bfloat16 instructions it is the default, and moves logits by some tenths.
        config['INFERENCE_PRECISION_HINT'] = 'f32'
    model = core.compile_model(path, 'CPU', config)
    request = model.create_infer_request()

    def run(images):
        found = request.infer({'images': images})
        return [np.array(found[name]) for name in NAMES]

    return ov.__version__.split('-')[0], None, run, model


def opencv():
    import cv2

    cv2.setNumThreads(THREADS)
    network = cv2.dnn.readNetFromONNX(path)

    def run(images):
        network.setInput(images, 'images')
        return network.forward(NAMES)

    return cv2.__version__, None, run, network


def litert():
    try:
        from ai_edge_litert.interpreter import Interpreter
        from importlib.metadata import version

        found = version('ai-edge-litert')
    except ImportError:
        import tensorflow as tf

        Interpreter, found = tf.lite.Interpreter, f'TensorFlow {tf.__version__}'
    interpreter = Interpreter(path, num_threads=THREADS)
    interpreter.allocate_tensors()
    # Of the signature, since the file's own outputs come in another order.
    serve = interpreter.get_signature_runner()

    def run(images):
        results = serve(images=images)
        return [results[name] for name in NAMES]

    return found, None, run, interpreter


def receive():
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        return None
    content = sys.stdin.buffer.read(struct.unpack('<I', head)[0])
    size = struct.unpack('<Q', content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    told = header.pop('__metadata__', {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry['data_offsets'])
        tensors[name] = np.frombuffer(content[begin:end], np.float32).reshape(entry['shape'])
    return told, tensors


def send(told, tensors):
    header, parts, at = {'__metadata__': told}, [], 0
    for name, value in tensors.items():
        part = np.ascontiguousarray(value, np.float32).tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(value.shape), 'data_offsets': [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    content = struct.pack('<Q', len(text)) + text + b''.join(parts)
    replies.write(struct.pack('<I', len(content)) + content)
    replies.flush()


def given(images):
    ordered = images.transpose(0, 3, 1, 2) if IS_NCHW and DTYPE != np.uint8 else images
    value = np.ascontiguousarray(ordered, DTYPE)
    return prepare(value) if prepare else value


def answer(results):
    tensors = {}
    for name, value in zip(NAMES, results):
        value = np.asarray(value, np.float32)
        is_map = IS_NCHW and settings['head'] == 'logits'
        tensors[name] = value.transpose(0, 2, 3, 1) if is_map else value
    return tensors


replies = os.fdopen(3, 'wb')
version, prepare, run, kept = {
    'saved-model': saved_model,
    'onnxruntime': onnxruntime,
    'openvino': openvino,
    'opencv': opencv,
    'litert': litert,
}[runtime]()
send({'version': version}, {})
while (message := receive()) is not None:
    told, tensors = message
    images = given(tensors['images'])
    if told['command'] == 'run':
        send({}, answer(run(images)))
        continue
    # Milliseconds of calls one after another.
    times = np.empty(int(told['calls']))
    for i in range(len(times)):
        start = time.perf_counter()
        run(images)
        times[i] = 1000 * (time.perf_counter() - start)
    send({}, {'milliseconds': times})
