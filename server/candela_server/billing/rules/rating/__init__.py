"""Rating: how a quantity becomes an amount. One file per charge model; `pipeline.py` puts the steps in order."""
