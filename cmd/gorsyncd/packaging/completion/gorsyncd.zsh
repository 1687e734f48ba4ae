#compdef gorsyncd
# Completion of gorsyncd for zsh: source <(gorsyncd completion zsh)
_gorsyncd() {
	local line value
	local -a values shown
	integer files=0 dirs=0
	for line in "${(@f)$(${words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
		case $line in
		'') ;;
		:files) files=1 ;;
		:dirs) dirs=1 ;;
		*)
			value=${line%%$'\t'*}
			values+=("$value")
			if [[ $line == *$'\t'* ]]; then
				shown+=("${(r:24:)value} -- ${line#*$'\t'}")
			else
				shown+=("$value")
			fi
			;;
		esac
	done
	(( $#values )) && compadd -l -d shown -a values
	if (( files || dirs )); then
		compset -P '--*='
		if (( dirs )); then _files -/; else _files; fi
	fi
}
if [[ $funcstack[1] == _gorsyncd ]]; then
	_gorsyncd "$@"
elif (( $+functions[compdef] )); then
	compdef _gorsyncd gorsyncd
fi
