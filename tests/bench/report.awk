# Reads the lines GROUP SERVER KEY VALUE [PROCESSOR_NS] that tests/bench/run wrote; prints tables and bounds, writes JSON.

function median(text, values, count, i, j, swap) {
  count = split(text, values, " ")
  for (i = 2; i <= count; ++i) {
    for (j = i; j > 1 && values[j - 1] + 0 > values[j] + 0; --j) {
      swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
    }
  }
  if (count == 0) return ""
  return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
}

{
  id = $1 SUBSEP $2 SUBSEP $3
  if (!(id in seen)) { seen[id] = 1; order[++ids] = id }
  all_values[id] = all_values[id] " " $4
  if ($1 == "client_calls") {
    for (i = 5; i < NF; i += 2) call_names[id] = call_names[id] " " $i " " $(i + 1)
  } else if (NF > 4) all_ns[id] = all_ns[id] " " $5
  if (!(($1, $3) in key_seen)) { key_seen[$1, $3] = 1; keys[$1] = keys[$1] " " $3 }
}

function value(group, server, key) { return median(all_values[group, server, key]) }
function ns(group, server, key) { return median(all_ns[group, server, key]) }

# How SERVER's rate compares with that of OTHER: the median over the rounds of the ratio within a round, because what else the machine
# does changes from round to round more than the servers differ.
function ratio(group, server, other, key, mine, theirs, count, i, text) {
  count = split(all_values[group, server, key], mine, " ")
  split(all_values[group, other, key], theirs, " ")
  for (i = 1; i <= count; ++i) text = text " " (theirs[i] + 0 > 0 ? mine[i] / theirs[i] : 0)
  return median(text)
}

# What the number is, what it is, and what it has to be: a missed bound counts only if it was measured at all.
function bound(what, got, sign, limit, shown, ok) {
  if (got == "") return
  ok = sign == ">=" ? got + 0 >= limit : got + 0 <= limit
  if (!ok) ++missed
  printf "  %-58s %9s  %s %-7s %s\n", what, sprintf(shown, got), sign, limit, ok ? "PASS" : "below"
  bounds = bounds (bounds == "" ? "" : ",\n") sprintf("    {\"what\": \"%s\", \"value\": %s, \"bound\": \"%s %s\", \"pass\": %s}", \
                                                      what, sprintf("%.4g", got), sign, limit, ok ? "true" : "false")
}

# The same of processor time per request: how many times as much work SERVER does in a second of processor time as OTHER.
function ns_ratio(group, server, other, key, mine, theirs, count, i, text) {
  count = split(all_ns[group, server, key], mine, " ")
  split(all_ns[group, other, key], theirs, " ")
  for (i = 1; i <= count; ++i) text = text " " (mine[i] + 0 > 0 ? theirs[i] / mine[i] : 0)
  return median(text)
}

function client_tables(list, count, i, names, name_count, j) {
  if (keys["client"] == "") return
  name_count = split("client_limit client_pollux client_curl client_go", names, " ")
  printf "\nUser-space instructions per request (callgrind, 16 connections); system calls per request (strace -c, 1 and 16 connections)\n"
  for (j = 1; j <= name_count; ++j) {
    if (!(("client", names[j], 16) in all_values)) continue
    printf "  %-14s %7s ", names[j], value("client_instructions", names[j], 16)
    printf "   1: %5s =%s\n", value("client_calls", names[j], 1), call_names["client_calls", names[j], 1]
    printf "  %-14s %7s   16: %5s =%s\n", "", "", value("client_calls", names[j], 16), call_names["client_calls", names[j], 16]
  }
  printf "\nClients, keep-alive, small GET: requests/s, ratio to client_limit; processor time of the client per request, ratio of the work done in it\n"
  printf "  %-6s", "active"
  for (j = 1; j <= name_count; ++j) if (("client", names[j], 16) in all_values) printf " %33s", names[j]
  printf "\n"
  count = split(keys["client"], list, " ")
  for (i = 1; i <= count; ++i) {
    printf "  %-6s", list[i]
    for (j = 1; j <= name_count; ++j) {
      if (!(("client", names[j], list[i]) in all_values)) continue
      printf " %11.0f %5.2f %6.2f us %5.2f", value("client", names[j], list[i]), ratio("client", names[j], "client_limit", list[i]), \
             ns("client", names[j], list[i]) / 1000, ns_ratio("client", names[j], "client_limit", list[i])
    }
    printf "\n"
  }
}

# Requests per second of processor time: what the core would do if nobody else wanted it.
function client_bounds(list, count, i) {
  count = split(keys["client"], list, " ")
  for (i = 1; i <= count; ++i) {
    if (list[i] < 16) continue
    bound("client, " list[i] " at a time: work per second of the bare poll loop", \
          ns_ratio("client", "client_pollux", "client_limit", list[i]), ">=", 0.8, "%.2f")
    if (("client", "client_curl", list[i]) in all_values) {
      bound("client, " list[i] " at a time: work per second of libcurl multi", \
            ns_ratio("client", "client_pollux", "client_curl", list[i]), ">=", 2.2, "%.2f")
    }
    if (("client", "client_go", list[i]) in all_values) {
      bound("client, " list[i] " at a time: work per second of Go", \
            ns_ratio("client", "client_pollux", "client_go", list[i]), ">=", 2, "%.2f")
    }
  }
}

function rate_table(group, title, servers, reference, all, count, names, name_count, list, list_count, i, j, key) {
  list_count = split(keys[group], list, " ")
  if (list_count == 0) return
  printf "\n%s: requests/s, ratio to %s; processor time of the server per request\n", title, reference
  printf "  %-6s", "active"
  count = split(servers, all, " ")
  for (i = 1; i <= count; ++i) {
    if (!((group, all[i], list[1]) in all_values)) continue
    names[++name_count] = all[i]
    printf " %27s", all[i]
  }
  printf "\n"
  for (j = 1; j <= list_count; ++j) {
    key = list[j]
    printf "  %-6s", key
    for (i = 1; i <= name_count; ++i) {
      printf " %11.0f %5.2f %6.2f us", value(group, names[i], key), ratio(group, names[i], reference, key), \
             ns(group, names[i], key) / 1000
    }
    printf "\n"
  }
}

function count_tables(servers, count, i, names, j, list) {
  if (keys["instructions"] == "") return
  printf "\nUser-space instructions per request (callgrind) and system calls per small GET (strace -c)\n"
  count = split("pollux-hello limit_poll nginx", servers, " ")
  for (i = 1; i <= count; ++i) {
    if (!(("instructions", servers[i], "small") in all_values)) continue
    printf "  %-14s small GET %6d   browser's head %6d   ", servers[i], value("instructions", servers[i], "small"), \
           value("instructions", servers[i], "browser")
    names = split(keys["calls"], list, " ")
    for (j = 1; j <= names; ++j) {
      if (list[j] != "all" && ("calls", servers[i], list[j]) in all_values) {
        printf " %s %s", list[j], value("calls", servers[i], list[j])
      }
    }
    printf "\n"
  }
}

function memory_table(list, count, i, j, names) {
  count = split(keys["memory_rss"], list, " ")
  if (count == 0) return
  printf "\nMemory of the process, KiB: resident (with pages of shared libraries) / proportional / anonymous\n"
  split("hello_many nginx", names, " ")
  for (i = 1; i <= count; ++i) {
    printf "  %-16s", list[i] ~ /^[0-9]+$/ ? list[i] " idle" : "1000 woke at once"
    for (j = 1; j <= 2; ++j) {
      if (("memory_rss", names[j], list[i]) in all_values) {
        printf "   %-10s %5d / %5d / %5d", names[j], value("memory_rss", names[j], list[i]), \
               value("memory_pss", names[j], list[i]), value("memory_anonymous", names[j], list[i])
      }
    }
    printf "\n"
  }
  printf "  1,000 connections that wake at once: %s ms from the first request to the last answer, the longest of 5 rounds\n", \
         value("wake", "hello_many", 1000)
}

function tls_tables(list, count, i, j, names, name_count, head) {
  if (keys["tls_handshakes"] == "") return
  printf "\nUser-space instructions of the server (callgrind), in thousands, and the share of them inside mbedTLS\n"
  printf "  %-12s", "over TLS"
  count = split("full12 full13 resumed12 resumed13 get", list, " ")
  for (i = 1; i <= count; ++i) printf " %15s", list[i]
  printf "\n"
  name_count = split("limit_tls hello_tls", names, " ")
  for (j = 1; j <= name_count; ++j) {
    printf "  %-12s", names[j]
    for (i = 1; i <= count; ++i) {
      printf " %8.1f %5.1f%%", value("tls_instructions", names[j], list[i]) / 1000, \
             100 * value("tls_inside", names[j], list[i]) / value("tls_instructions", names[j], list[i])
    }
    printf "\n"
  }
  printf "System calls per small GET (strace -c)\n"
  for (j = 1; j <= name_count; ++j) {
    printf "  %-12s", names[j]
    count = split(keys["calls"], list, " ")
    for (i = 1; i <= count; ++i) if (list[i] != "all" && ("calls", names[j], list[i]) in all_values) printf " %s %s", list[i], value("calls", names[j], list[i])
    printf "\n"
  }
  printf "mbedTLS alone (tls_steps), microseconds: a handshake at the server, at the client, the longest step of the server\n"
  count = split(keys["tls_steps"], list, " ")
  for (i = 1; i <= count; ++i) {
    printf "  %-12s %8.0f %8.0f %8.0f\n", list[i], value("tls_steps", "server", list[i]), value("tls_steps", "client", list[i]), \
           value("tls_steps", "longest", list[i])
  }
  tls_table("tls_handshakes", "Handshakes, one after the other: handshakes/s", 1)
  tls_table("tls_get", "Keep-alive over https, small GET: requests/s", 1)
  tls_table("tls_body", "A body of 10 MB over https: MB/s", 10)
}

function tls_table(group, title, factor, list, count, i, j, names, name_count) {
  count = split(keys[group], list, " ")
  name_count = split("limit_tls pollux nginx", names, " ")
  printf "\n%s; processor time of the server for one; work done in it, ratio to limit_tls\n  %-10s", title, ""
  for (j = 1; j <= name_count; ++j) printf " %28s", names[j]
  printf "\n"
  for (i = 1; i <= count; ++i) {
    printf "  %-10s", list[i]
    for (j = 1; j <= name_count; ++j) {
      printf " %8.0f %10.2f us %5.2f", factor * value(group, names[j], list[i]), ns(group, names[j], list[i]) / 1000, \
             ns_ratio(group, names[j], "limit_tls", list[i])
    }
    printf "\n"
  }
}

# By processor time: what the core would do if the client were quick enough.
function tls_bounds(list, count, i) {
  count = split(keys["tls_handshakes"], list, " ")
  for (i = 1; i <= count; ++i) {
    bound("handshakes, " list[i] ": work per second of the bare mbedTLS loop", \
          ns_ratio("tls_handshakes", "pollux", "limit_tls", list[i]), ">=", list[i] ~ /^full/ ? 0.9 : 0.8, "%.2f")
  }
  count = split(keys["tls_get"], list, " ")
  for (i = 1; i <= count; ++i) {
    bound("https, " list[i] " at a time: work per second of nginx", ns_ratio("tls_get", "pollux", "nginx", list[i]), ">=", 1, "%.2f")
  }
  bound("https: system calls per request", value("calls", "hello_tls", "all"), "<=", 3.02, "%.2f")
}

function write_json(i, part, separator) {
  printf "{\n  \"date\": \"%s\",\n  \"mode\": \"%s\",\n  \"cores\": %d,\n  \"rounds\": %d,\n  \"seconds\": %d,\n  \"results\": [\n", \
         date, mode, cores, rounds, seconds > json
  for (i = 1; i <= ids; ++i) {
    split(order[i], part, SUBSEP)
    printf "%s    {\"group\": \"%s\", \"server\": \"%s\", \"key\": \"%s\", \"median\": %s", separator, part[1], part[2], part[3], \
           median(all_values[order[i]]) > json
    if (order[i] in all_ns) printf ", \"processor_ns\": %s", median(all_ns[order[i]]) > json
    printf "}" > json
    separator = ",\n"
  }
  printf "\n  ],\n  \"bounds\": [\n%s\n  ]\n}\n", bounds > json
}

END {
  count_tables()
  rate_table("rate", "Keep-alive, small GET", "limit_poll pollux nginx", "limit_poll")
  rate_table("pipelined", "Sixteen requests in one segment", "limit_poll pollux nginx", "limit_poll")
  rate_table("idle", "Active connections among 1,000 idle ones", "limit_epoll pollux nginx limit_poll", "limit_epoll")
  memory_table()
  client_tables()
  tls_tables()

  printf "\nBounds\n"
  bound("instructions, small GET", value("instructions", "pollux-hello", "small"), "<=", 2500, "%d")
  bound("instructions, browser's head", value("instructions", "pollux-hello", "browser"), "<=", 5500, "%d")
  bound("system calls per request", value("calls", "pollux-hello", "all"), "<=", 3.02, "%.2f")
  count = split(keys["rate"], list, " ")
  for (i = 1; i <= count; ++i) {
    if (list[i] < 16 || list[i] > 256) continue
    bound(list[i] " connections: requests/s of nginx", ratio("rate", "pollux", "nginx", list[i]), \
          ">=", 1.25, "%.2f")
    bound(list[i] " connections: requests/s of the bare poll loop", \
          ratio("rate", "pollux", "limit_poll", list[i]), ">=", 0.9, "%.2f")
  }
  if (keys["pipelined"] != "") {
    bound("pipelined: requests/s of the bare poll loop", ratio("pipelined", "pollux", "limit_poll", 16), ">=", 0.5, "%.2f")
  }
  if (keys["idle"] != "") {
    bound("1 active among 1,000 idle: requests/s of the bare epoll loop", \
          ratio("idle", "pollux", "limit_epoll", 1), ">=", 0.9, "%.2f")
  }
  bound("1,000 idle connections: resident KiB", value("memory_rss", "hello_many", 1000), "<=", 2048, "%d")
  client_bounds()
  tls_bounds()
  write_json()
  if (mode != "counts" && json != "") printf "\nAll medians: %s\n", json
  exit strict == "yes" && missed > 0 ? 1 : 0
}
