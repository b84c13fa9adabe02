"""Papermill plug-in for TypeScript: `papermill in.ipynb out.ipynb -p lambda 3` puts `lambda = 3` after the cell
tagged "parameters". The set-up copies it beside papermill, which finds it by the entry point of an engine."""

import json
import re

from papermill.engines import NBClientEngine
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

DECLARATION = re.compile(r"^let\s+(\w+)(?:\s*:\s*([^=]+?))?\s*=\s*(.*?)\s*(?://\s*(.*))?$", re.MULTILINE)


class TypeScriptTranslator(Translator):
    @classmethod
    def translate(cls, value):
        return json.dumps(value, default=str)

    @classmethod
    def comment(cls, text):
        return f"// {text}"

    @classmethod
    def inspect(cls, cell):
        found = DECLARATION.findall(cell.source)
        return [Parameter(name, kind or "None", default, help) for name, kind, default, help in found]


papermill_translators.register("typescript", TypeScriptTranslator)


class Engine(NBClientEngine):
    """papermill loads a plug-in by its engine; this one is papermill's own."""
