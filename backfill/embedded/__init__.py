"""Servers and child processes that live and die with the process that started them."""
