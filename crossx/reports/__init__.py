"""Files that a run leaves behind, in four groups: the record of the run, its health, pictures, and W&B.

`settings` has the switches of the config's `reports:` and builds the callbacks; `section` is how a report contributes
to `results.json`.
"""
