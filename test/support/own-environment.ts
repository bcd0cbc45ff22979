// Before each file of tests. What scripts/test gives to Node (scripts/lib/quick-fork.c) is not for the programs that tests start.
delete process.env['LD_PRELOAD'];
