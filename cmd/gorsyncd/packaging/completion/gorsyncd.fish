# Completion of gorsyncd for fish: gorsyncd completion fish | source
function __gorsyncd_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    for line in (command $words[1] __complete $words[2..-1] "$cur" 2>/dev/null)
        set -l front (string match -r -- '^--[^=]*=' "$cur")
        set -l path (string replace -r -- '^--[^=]*=' '' "$cur")
        switch $line
            case :files
                for f in (__fish_complete_path "$path")
                    echo -- "$front$f"
                end
            case :dirs
                for f in (__fish_complete_directories "$path")
                    echo -- "$front$f"
                end
            case '*'
                echo -- $line
        end
    end
end
complete -c gorsyncd -f -a '(__gorsyncd_complete)'
