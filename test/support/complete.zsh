# What a zsh completes the last word of a line with, by the completion functions of a folder, one to a line:
# `zsh -f complete.zsh FOLDER LINE`. Completion needs a terminal, so that a second shell is asked, which writes into the folder.
zmodload zsh/zpty
folder=$1
cat >$folder/setup <<'END'
PROMPT=
fpath=($folder $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' insert-tab false
compadd() {
  # Calls with these options fill arrays of the caller's.
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    local -a hits
    builtin compadd -A hits "$@"
    print -rl -- $hits >>$folder/hits
  fi
  builtin compadd "$@"
}
finished() { : >$folder/done }
comppostfuncs=(finished)
bindkey '^I' complete-word
: >$folder/ready
END
zpty shell zsh -f -i
# What it prints is read, or it would wait.
until_there() { until [[ -e $folder/$1 ]]; do zpty -t shell || exit 1; zpty -r -t shell ignored; sleep 0.01; done }
zpty -w shell "folder=$folder; source $folder/setup"
until_there ready
zpty -w -n shell "$2"$'\t'
until_there done
[[ ! -e $folder/hits ]] || cat $folder/hits
zpty -d shell
