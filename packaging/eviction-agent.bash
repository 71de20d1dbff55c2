# SPDX-License-Identifier: Apache-2.0
# Completion of eviction-agent for bash. Where it offers nothing, file names are completed.

_eviction_agent() {
    local current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    local words=

    # bash makes three words of --option=value.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = && $COMP_CWORD -gt 1 ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    if [[ $COMP_CWORD -eq 1 ]]; then
        words='run plan check validate status incidents apply rollback record replay simulate version help --help --version'
    else
        case $previous in
            -o | --output) words='table json yaml' ;;
            --log-level) words='debug info warning error' ;;
            --mix) words='containers mixed vms' ;;
            --weather) words='calm bursty ratcheting leaking' ;;
            --policy)
                words='rke2-default kubelet-100Mi static-6Gi-4Gi percent-5 percent-10'
                words+=' percent-7-1Gi gke aks eks openshift ours'
                ;;
            --dry-run | --csv | --suite) words=$(_eviction_agent_words "$command") ;;
            --*) ;; # takes a value: a file name, or nothing that is known here
            *) words=$(_eviction_agent_words "$command") ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# What may follow the command.
_eviction_agent_words() {
    local common='--output --log-level --path.rootfs --help'
    case $1 in
        plan | check | rollback) echo "$common --path.procfs --path.sysfs --config" ;;
        run)
            echo "--log-level --path.rootfs --path.procfs --path.sysfs --help --config" \
                --textfile
            ;;
        apply) echo "$common --path.procfs --path.sysfs --config --dry-run" ;;
        status) echo "$common" ;;
        incidents) echo "$common --since" ;;
        record)
            echo "--log-level --path.rootfs --path.procfs --path.sysfs --help --config" \
                --interval --duration
            ;;
        replay) echo '--output --log-level --path.rootfs --help --config --csv' ;;
        validate)
            echo "$common --kubelet-version --capacity --config --config-dir" \
                --eviction-hard --eviction-soft --eviction-soft-grace-period \
                --eviction-minimum-reclaim --eviction-max-pod-grace-period \
                --kube-reserved --system-reserved --enforce-node-allocatable \
                --memory-manager-policy --reserved-memory
            ;;
        help) echo 'run plan check validate status incidents apply rollback record replay simulate version help' ;;
        simulate)
            echo "--output --log-level --help --config --capacity --mix --weather" \
                --trace --recording --suite --hours --seed --policy --weights --html
            ;;
        version) echo '--output --help' ;;
    esac
}

complete -o default -F _eviction_agent eviction-agent
