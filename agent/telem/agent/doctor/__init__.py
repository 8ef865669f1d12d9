"""Finds out what is wrong between the clients and the tables, and names the command that mends it. Reads only."""
