# bash completion of digate.

_digate() {
    # bash splits at = and : too; put those words together again, up to the cursor.
    local words=() word glue='' i
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $glue || $word == [=:]* ]] && ((${#words[@]})); then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == *[=:] ]] && glue=1 || glue=''
    done
    # Readline replaces only what is behind the last of them.
    local whole=${words[${#words[@]}-1]} part=${COMP_WORDS[COMP_CWORD]}
    [[ $part == [=:]* ]] && part=''
    local before=${whole%"$part"}

    local lines=() line tab=$'\t' value about
    while IFS= read -r line; do lines+=("$line"); done < <(@DIGATE@ @COMPLETE@ -- "${words[@]}" 2>/dev/null)
    COMPREPLY=()
    if [[ ${#lines[@]} -eq 1 && ${lines[0]} == :files ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    for line in "${lines[@]}"; do
        value=${line%%"$tab"*} about=${line#*"$tab"}
        value=${value#"$before"}
        # Names are shown beside ids where bash lists, never where it inserts.
        if ((${#lines[@]} > 1)) && [[ $about != "$line" && $COMP_TYPE != 37 && $COMP_TYPE != 42 ]]; then
            value="$value  ($about)"
        fi
        COMPREPLY+=("$value")
    done
}

complete -F _digate digate
