"""Makes a .tflite file of a SavedModel: convert.py SAVED_MODEL OUT PRECISION METADATA

PRECISION is float32, float16 (weights) or int8 (the SavedModel has fake quantisation, which becomes the file's).
The metadata, a JSON text, is appended as the associated file metadata.json, as TFLite files carry such: a zip archive
behind the model, so `unzip -p model.tflite metadata.json` shows it.
"""

import io
import sys
import zipfile

import tensorflow as tf

saved_model, out, precision, metadata = sys.argv[1:]
converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
if precision != 'float32':
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
if precision == 'float16':
    converter.target_spec.supported_types = [tf.float16]
model = converter.convert()

archive = io.BytesIO(model)
with zipfile.ZipFile(archive, 'a') as file:
    # Without the time of day, so that the same network gives the same bytes.
    file.writestr(zipfile.ZipInfo('metadata.json'), metadata)
with open(out, 'wb') as file:
    file.write(archive.getvalue())
