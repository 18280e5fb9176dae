"""Printed tables of means read as trials: the thesis' numbers, rebuilt, examined and decided by its own rule."""
