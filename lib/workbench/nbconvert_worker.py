"""Runs nbconvert tasks one after another. A line of stdin is a task, a line of stdout its answer, both JSON.

{"task": "execute", "notebook": ..., "to": ..., "partial": ...}
    Runs the cells and writes the executed notebook; `partial` holds it as far as it was executed. All notebooks of a folder
    share one kernel, which between notebooks forgets their declarations. WORKBOOK_PROGRESS names a file that gets a
    JSON line for every cell that begins.
{"task": "page", "notebook": ..., "to": ..., "templates": ...}
    Writes the notebook as HTML, with the template "workbook" from the folder `templates`.

The answer to a task that succeeds is {}, otherwise {"error": ...}.
"""

import json
import os
import shutil
import sys
import tempfile
import threading
import time

import nbformat

# Longest name of a file that is a socket; Linux takes 107 bytes, macOS 103. Jupyter adds "-ipc-5".
LONGEST_NAME = 96


class Kernel:
    """The kernel that notebooks share. It is spoken to through files of its own and not through ports: Jupyter chooses ports
    before the kernel begins, which takes seconds, and meanwhile others may take them, among them the very connections that are
    tried to these ports (a system may give one the port that it leads to)."""

    manager = None
    folder = None
    place = None

    def of(self, folder):
        if self.manager is None or self.folder != folder:
            from jupyter_client import AsyncKernelManager

            self.end()
            self.place = tempfile.mkdtemp(prefix="workbook-")
            if len(os.fsencode(self.place)) > LONGEST_NAME - len("/kernel"):
                os.rmdir(self.place)
                self.place = tempfile.mkdtemp(prefix="workbook-", dir="/tmp")
            connection = os.path.join(self.place, "kernel.json")
            self.manager = AsyncKernelManager(
                kernel_name="tslab", transport="ipc", connection_file=connection
            )
            self.folder = folder
        return self.manager

    def end(self):
        from nbclient.util import run_sync

        if self.manager is not None and self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)()
        self.tidy()

    def tidy(self):
        if self.place is not None:
            shutil.rmtree(self.place, ignore_errors=True)


kernel = Kernel()


def write(notebook, file):
    temporary = file + ".tmp"
    nbformat.write(notebook, temporary)
    os.replace(temporary, file)


def execute(notebook, to, partial):
    from nbconvert.preprocessors import ExecutePreprocessor

    class Executor(ExecutePreprocessor):
        # How long a kernel takes to start depends on what else the machine does. It is waited for as long as its process lives.
        startup_timeout = None

    document = nbformat.read(notebook, as_version=4)
    code = [cell for cell in document.cells if cell.cell_type == "code"]

    def report(cell, cell_index):
        index = next(i for i, other in enumerate(code) if other is cell)
        event = {"event": "cell", "index": index + 1, "count": len(code), "source": cell.source}
        with open(os.environ["WORKBOOK_PROGRESS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def keep(**_):
        write(document, partial)

    executor = Executor(
        timeout=None,
        record_timing=False,
        on_cell_execute=report,
        on_cell_executed=keep,
        on_cell_error=keep,
    )
    folder = os.path.dirname(notebook)
    try:
        executor.preprocess(document, {"metadata": {"path": folder}}, km=kernel.of(folder))
        executor.wait_for_reply(executor.kc.execute("%reset", store_history=False))
    finally:
        if executor.kc is not None:
            executor.kc.stop_channels()
    write(document, to)


def page(notebook, to, templates):
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="workbook", extra_template_basedirs=[templates])
    html, _ = exporter.from_filename(notebook)
    with open(to, "w", encoding="utf-8") as file:
        file.write(html)


def end_with(parent):
    """Ends this process when its parent was killed; its kernel then ends by itself."""
    while os.getppid() == parent:
        time.sleep(1)
    kernel.tidy()
    os._exit(1)


def main():
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    # Output of libraries and the kernel must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    tasks = {"execute": execute, "page": page}
    try:
        for line in sys.stdin:
            words = json.loads(line)
            try:
                tasks[words.pop("task")](**words)
                answer = {}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        kernel.end()


main()
