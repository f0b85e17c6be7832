# Thin names for ./run, which does the work.
.PHONY: setup up demo test lint bench chaos manage e2e gpu vary
setup up demo lint chaos:
	@./run $@
bench:
	@./run bench $(ARGS)
test:
	@./run test $(ARGS)
vary: # the tests with other keys and draws, which finds those that only have luck: make vary SEED=3
	@WHETSTONE_TEST_SEED=$(or $(SEED),1) ./run test $(ARGS)
manage: # make manage ARGS="prompts_import --help"
	@./run manage $(ARGS)
e2e: # the browser tests alone
	@./run test -m browser $(ARGS)
gpu: # on a machine with a CUDA device
	@./run test -n 0 -m gpu tests/gpu $(ARGS)
