# Each target does its own set-up. The work is done by scripts/.

.PHONY: help run cluster test test-long check bench

help:
	@echo "make run        build the page and the server, and start it with SQLite in ./data"
	@echo "make cluster    three nodes behind a balancer, with Postgres and Redis, on this machine"
	@echo "make test       every test: Rust, web and browser, with a database of its own"
	@echo "make test-long  the same with more kills and more random cases (an hour or more)"
	@echo "make check      format, lints, generated files, web types"
	@echo "make bench      the load generator against a release build"

run:
	@scripts/run.sh

cluster:
	@scripts/cluster.sh

test:
	@scripts/test.sh

test-long:
	@STOA_LONG=1 scripts/test.sh

check:
	@scripts/check.sh

bench:
	@scripts/bench.sh
