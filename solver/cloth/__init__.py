"""Cloth: sewn panels as particles and constraints, and the solver that drapes them over a moving body."""
