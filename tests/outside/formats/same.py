"""same.py FILE.yaml ...: whether each holds the values of the FILE.json beside it, to readers of YAML 1.1 and of 1.2."""

import json
import pathlib
import sys

import yaml
from ruamel.yaml import YAML

for name in sys.argv[1:]:
    file = pathlib.Path(name)
    text = file.read_text()
    expected = json.loads(file.with_suffix(".json").read_text())
    assert yaml.safe_load(text) == expected, f"{file}: YAML 1.1"
    assert YAML(typ="safe").load(text) == expected, f"{file}: YAML 1.2"
    print(f"{file}: the same")
