"""The PyTorch side of the benchmark: answers one line of JSON on stdin with one on stdout. Requests: protocol.ts.

Started by workers.ts in the benchmark's own environment, with the threads in OMP_NUM_THREADS; its arguments are the device,
and "compiled" if torch.compile is to compile the steps.
"""

import gc
import json
import os
import sys
import time
import traceback

import torch
from torch.nn import functional as F

import peer_data
import peer_evaluator
from peer_network import Detector, masked_class_kd, read_problem, yolo_loss

WARM_UP = 2
ADAPTED = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DEVICE = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
COMPILED = "compiled" in sys.argv[2:]


def autocast(precision):
    return torch.autocast(DEVICE.type, dtype=ADAPTED[precision], enabled=precision != "float32")


class Training:
    """Forward, loss, backward, clipping and SGD as PyTorch's users write it; with a teacher, masked-class-kd as well."""

    def __init__(self, problem, network, precision, layout, distil=False):
        self.problem, self.precision, self.layout = problem.to(DEVICE), precision, layout
        self.model = self.place(Detector(problem, network)).train()
        self.teacher = self.place(Detector(problem, "teacher")).eval() if distil else None
        images = self.arrange(problem.images)
        # A card gets each batch from the host, as in a training; from pinned memory, as a DataLoader leaves it.
        self.batch = [x.pin_memory() if DEVICE.type == "cuda" else x for x in (images, problem.table, *problem.index)]
        sgd = problem.sgd
        decayed = [p for p in self.model.parameters() if p.ndim == 4]
        others = [p for p in self.model.parameters() if p.ndim == 1]
        self.clip = sgd["clip"]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": sgd["weightDecay"]}, {"params": others, "weight_decay": 0}],
            lr=problem.rate,
            momentum=sgd["momentum"],
        )
        self.scaler = torch.amp.GradScaler(DEVICE.type, init_scale=1024, enabled=precision == "float16")
        self.losses, self.logits = (torch.compile(f, dynamic=False) if COMPILED else f for f in (self.losses, self.logits))

    def arrange(self, x):
        return x.to(memory_format=torch.channels_last) if self.layout == "channels_last" else x

    def place(self, x):
        return self.arrange(x.to(DEVICE))

    def logits(self, images, model):
        """Of images as bytes, which are scaled on the device."""
        with autocast(self.precision):
            return model(images.float() / 255)[0]

    def losses(self, images, targets):
        outputs = self.logits(images, self.model)
        terms = yolo_loss(outputs, targets, self.problem)
        if self.teacher:
            with torch.no_grad():
                target = self.logits(images, self.teacher)
            terms["masked-class-kd"] = masked_class_kd(outputs, target, self.problem)
        return terms

    def step(self, images, targets):
        self.optimizer.zero_grad(set_to_none=True)
        terms = self.losses(images, targets)
        total = sum(terms.values())
        self.scaler.scale(total).backward()
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        # What a training logs: the same numbers as the other side reads back.
        return {"total": total.item(), "gradientNorm": norm.item(), **{k: v.item() for k, v in terms.items()}}

    def load(self):
        images, table, *index = (x.to(DEVICE, non_blocking=True) for x in self.batch)
        return images, [table[entries] for entries in index]

    def __call__(self):
        return self.step(*self.load())["total"]


class Inference(Training):
    """Logits of a batch, batch norm with its running statistics."""

    def __call__(self):
        with torch.inference_mode():
            outputs = self.logits(self.batch[0].to(DEVICE, non_blocking=True), self.model)
        return [o.cpu() for o in outputs]

    def __init__(self, problem, network, precision, layout):
        super().__init__(problem, network, precision, layout)
        self.model.eval()


def peak():
    """Peak and present resident memory in MiB."""
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    mib = lambda name: int(found[name].split()[0]) / 1024
    return {"peakMiB": mib("VmHWM"), "presentMiB": mib("VmRSS")}


works = {}


def prepare(key, file, network, kind, precision, layout="contiguous", method=None):
    problem = read_problem(file)
    if kind == "inference":
        work = Inference(problem, network, precision, layout)
        first = sum(o.float().abs().mean().item() for o in work())
    else:
        if method not in (None, "masked-class-kd"):
            raise ValueError(f"expected method masked-class-kd, found {method}")
        work = Training(problem, network, precision, layout, distil=kind == "distillation")
        first = work()
    works[key] = work
    return {"first": first, "seconds": timed(work, WARM_UP)}


def timed(work, iterations):
    seconds = []
    for _ in range(iterations):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def release(key):
    del works[key]
    gc.collect()
    return {}


def throughput(precision, seconds):
    """GFLOP/s of a chain of 3x3 convolutions, 128 channels on 24x64 cells, the best layout's."""
    batch, height, width, channels, length = 8, 24, 64, 128, 6
    x = torch.randn(batch, channels, height, width, dtype=ADAPTED[precision])
    kernel = torch.randn(channels, channels, 3, 3, dtype=ADAPTED[precision]) * (9 * channels) ** -0.5
    flops = 2 * 9 * batch * height * width * channels**2 * length
    best = float("inf")
    for layout in (torch.contiguous_format, torch.channels_last):
        image, weight = x.to(memory_format=layout), kernel.to(memory_format=layout)

        def chain():
            y = image
            for _ in range(length):
                y = F.conv2d(y, weight, padding=1)

        with torch.inference_mode():
            chain()
            end = time.perf_counter() + seconds / 2
            while time.perf_counter() < end:
                best = min(best, *timed(chain, 1))
    return {"gflops": flops / best / 1e9}


def hello():
    import platform
    from importlib.metadata import version

    packages = ["torch", "numpy", "pillow"]
    if DEVICE.type == "cpu":
        import pycocotools  # noqa: F401  (must be there before an hour of other measurements)

        packages.append("pycocotools")
    return {
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def epoch(**request):
    return peer_data.epoch(Training, **request)


HANDLERS = {
    "hello": hello,
    "prepare": prepare,
    "run": lambda key, iterations: {"seconds": timed(works[key], iterations)},
    "release": release,
    "memory": peak,
    "throughput": throughput,
    "epoch": epoch,
    "evaluatorPrepare": peer_evaluator.prepare,
    "evaluate": peer_evaluator.evaluate,
}


def main():
    # Libraries that print must not garble the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True  # chooses each convolution's fastest algorithm, as users do for one size of images
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = HANDLERS[request.pop("op")](**request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
