"""The subcommands of the console script, one file each: HELP, EXAMPLES, `add_arguments(parser)` and `run(options)`.

They print results on standard output and progress on standard error; the library prints nothing.
"""
