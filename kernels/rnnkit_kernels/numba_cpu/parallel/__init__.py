"""Threads of our own: how many, a team of them, their words of memory."""
