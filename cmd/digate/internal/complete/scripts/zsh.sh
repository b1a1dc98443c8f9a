#compdef digate
# zsh completion of digate.

_digate() {
    local -a candidates
    local line value about tab=$'\t'
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compset -P '--*='
            _files
            return
        fi
        value=${line%%$tab*}
        value=${value//:/\\:}
        [[ $line == *$tab* ]] && about=":${line#*$tab}" || about=''
        candidates+=("$value$about")
    done < <(@DIGATE@ @COMPLETE@ -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe -V digate candidates
}

if [[ $funcstack[1] == _digate ]]; then
    _digate "$@"
else
    compdef _digate digate
fi
