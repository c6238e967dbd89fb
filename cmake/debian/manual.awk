# Makes a manual page of what a program says with --help: its usage, a sentence about it, lines of options.
#   pollux-hello --help | awk -v name=pollux-hello -v version=0.1.0 -v date=2026-11-21 -f manual.awk >pollux-hello.1

function escaped(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  if (text ~ /^[.']/) {
    text = "\\&" text
  }
  return text
}

function summary(text) {
  sub(/[.:;,].*$/, "", text)
  return tolower(substr(text, 1, 1)) substr(text, 2)
}

NR == 1 {
  sub(/^Usage: [^ ]+ */, "")
  usage = $0
  next
}
NR == 2 {
  printf ".TH %s 1 %s \"pollux %s\" \"pollux\"\n", toupper(escaped(name)), date, version
  printf ".SH NAME\n%s \\- %s\n", escaped(name), escaped(summary($0))
  printf ".SH SYNOPSIS\n.B %s\n%s\n", escaped(name), escaped(usage)
  printf ".SH DESCRIPTION\n%s\n", escaped($0)
  next
}
/^ *$/ {
  next
}
/^ +[^ ]+.*  [^ ]/ {
  if (!options++) {
    print ".SH OPTIONS"
  }
  sub(/^ +/, "")
  match($0, /  +/)
  printf ".TP\n.B %s\n%s\n", escaped(substr($0, 1, RSTART - 1)), escaped(substr($0, RSTART + RLENGTH))
  next
}
{
  sub(/^ +/, "")
  print (options ? "" : ".PP\n") escaped($0)
}
END {
  print ".SH SEE ALSO\nThe documentation of pollux, in /usr/share/doc/libpollux\\-dev if that package is installed."
}
