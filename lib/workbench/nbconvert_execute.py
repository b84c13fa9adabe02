"""Configuration of `jupyter nbconvert --execute`: tells how far it is, and keeps what was run if a cell fails.

WORKBOOK_PROGRESS  file that gets one JSON line an event
WORKBOOK_PARTIAL   where the notebook is kept as far as it was executed
WORKBOOK_GATE      file that is there once the cells may run; until then only the kernel starts
"""

import asyncio
import json
import os

import nbformat

progress = os.environ["WORKBOOK_PROGRESS"]
partial = os.environ["WORKBOOK_PARTIAL"]
gate = os.environ["WORKBOOK_GATE"]
running = {}


def report(**event):
    with open(progress, "a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def keep(**_):
    temporary = partial + ".tmp"
    nbformat.write(running["notebook"], temporary)
    os.replace(temporary, partial)


def on_notebook_start(notebook):
    running["notebook"] = notebook
    running["code"] = [cell for cell in notebook.cells if cell.cell_type == "code"]


async def on_cell_execute(cell, cell_index):
    while not os.path.exists(gate):
        await asyncio.sleep(0.02)
    code = running["code"]
    index = next(i for i, other in enumerate(code) if other is cell)
    report(event="cell", index=index + 1, count=len(code), source=cell.source)


c = get_config()  # noqa: F821
c.ExecutePreprocessor.kernel_name = "tslab"
c.ExecutePreprocessor.timeout = None
c.ExecutePreprocessor.startup_timeout = 120
c.ExecutePreprocessor.on_notebook_start = on_notebook_start
c.ExecutePreprocessor.on_cell_execute = on_cell_execute
c.ExecutePreprocessor.on_cell_executed = keep
c.ExecutePreprocessor.on_cell_error = keep
c.ExecutePreprocessor.record_timing = False
