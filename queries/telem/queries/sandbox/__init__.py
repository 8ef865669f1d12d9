"""The sandbox: SQL runs in a child process that can read the telemetry and do nothing else.

    parent (daemon, command line)                      child, a fresh interpreter
    pool ── worker ── pipe ──── question ───────────→  child ── database (DuckDB, locked) ── gate
                      pipe ←─── head, data …, end ───         behind walls (Landlock, rlimits)

Four walls, each of which would hold most of it alone:

* the gate (`telem.queries.gate`): one statement that only reads, made of known nodes, functions and tables;
* DuckDB's settings (`database`): no file outside the data folders, no network, no extension, configuration locked;
* the operating system (`walls`): Landlock lets the process open the data folders and its own libraries for reading and
  nothing else, and no TCP; rlimits bound its memory, and keep it from writing any file;
* the parent (`worker`): it waits so long and no longer, watches the child's memory, and kills.

The parent imports neither duckdb nor pyarrow.
"""
