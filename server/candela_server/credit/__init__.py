"""Allowances and prepaid money: grants, what is drawn from them, and in which order."""
