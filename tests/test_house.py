"""The rules of the house that no linter knows."""

import ast
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = sorted(p for p in (ROOT / "solver" / "kernels").glob("*.py") if p.name != "__init__.py")
JITS = {"njit", "jit", "vectorize", "guvectorize"}


def jitted_functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
                if name in JITS:
                    yield node.name, decorator


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_kernels_release_the_lock_and_are_cached(path):
    for name, decorator in jitted_functions(path):
        assert isinstance(decorator, ast.Call), f"{name}: njit without flags"
        flags = {keyword.arg: keyword.value for keyword in decorator.keywords}
        inlined = isinstance(flags.get("inline"), ast.Constant)
        for flag in ("nogil", "cache"):
            value = flags.get(flag)
            assert inlined or (isinstance(value, ast.Constant) and value.value is True), (
                f"{name}: {flag}=True is missing"
            )
        fastmath = flags.get("fastmath")
        if fastmath is not None:
            assert not (isinstance(fastmath, ast.Constant) and fastmath.value is True), f"{name}: fastmath breaks isnan"
            text = ast.unparse(fastmath)
            assert "nnan" not in text, f"{name}: fastmath breaks isnan"
            assert "ninf" not in text, f"{name}: fastmath breaks isinf"


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_kernels_know_arrays_and_numba_only(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            known = name.split(".")[0] in sys.stdlib_module_names | {"numpy", "numba", "llvmlite", "__future__"}
            assert known or name.startswith("solver.kernels"), f"{path.stem} imports {name}"


def test_numba_lives_in_kernels_only():
    outside = [
        p
        for folder in ("solver", "capture", "game", "scenes")
        for p in (ROOT / folder).rglob("*.py")
        if p.parent.name != "kernels"
    ]
    for path in outside:
        assert not list(jitted_functions(path)), f"{path.relative_to(ROOT)}: kernels belong in solver/kernels"


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_every_kernel_file_has_a_test(path):
    tests = "\n".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    names = [name for name, _ in jitted_functions(path) if not name.startswith("_")]
    assert any(name in tests for name in names) or path.stem in tests, f"{path.stem}: no test mentions it"


def test_json_schemas_are_schemas():
    jsonschema = pytest.importorskip("jsonschema")
    schemas = sorted((ROOT / "docs" / "schemas").glob("*.json"))
    assert schemas
    for path in schemas:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_a_written_folder_keeps_its_schema(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    from main import main

    assert (
        main(["record", "sim:visit=scan,fault=nobody,fps=2", str(tmp_path / "folder"), "--frames", "1", "--json"]) == 0
    )
    schema = json.loads((ROOT / "docs" / "schemas" / "intrinsic.schema.json").read_text())
    content = json.loads((tmp_path / "folder" / "intrinsic.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(content)
