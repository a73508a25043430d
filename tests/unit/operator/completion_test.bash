# The generated completion, asked as bash asks it. usage: completion_test.bash HOMEPORTCTL
source <("$1" completion bash) || exit 1
failed=0

expect() { # wanted words, then the command line so far; the last word is the one being typed
	local wanted=$1
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_homeportctl
	if [[ "${COMPREPLY[*]}" != "$wanted" ]]; then
		echo "${COMP_WORDS[*]}: got '${COMPREPLY[*]}', not '$wanted'" >&2
		failed=1
	fi
}

expect "-s -j completion show clear revoke drain reload test sa policy trace watch help" homeportctl ""
expect "bindings binding" homeportctl show b
expect "bindings counters" homeportctl -j clear ""
expect "events" homeportctl -s /tmp/socket watch ""
expect "home nai care-of instance count" homeportctl show bindings ""
expect "care-of count" homeportctl show bindings home 10.1.0.0/16 c
expect "on off" homeportctl drain ""
expect "show add update del dummy move export takeover release" homeportctl sa ""
expect "show add del" homeportctl policy ""
expect "key-file key-fd" homeportctl sa add ke
expect "" homeportctl reload ""
expect "bash markdown" homeportctl completion ""
exit $failed
