# fish completion of digate.

function __digate_candidates
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found (@DIGATE@ @COMPLETE@ -- $before[2..-1] "$current" 2>/dev/null)
    if test "$found" = :files
        set -l parts (string split -m 1 = -- $current)
        if test (count $parts) -eq 2
            for path in (__fish_complete_path $parts[2])
                echo "$parts[1]=$path"
            end
        else
            __fish_complete_path $current
        end
    else
        printf '%s\n' $found
    end
end

complete -c digate -f -a '(__digate_candidates)'
