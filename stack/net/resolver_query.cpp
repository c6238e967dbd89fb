// A query of the resolver: the names of the search list in turn, two questions for each, and what becomes of their answers.
#include <algorithm>
#include <chrono>

#include "port/ensure.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_detail.hpp"
#include "stack/net/resolver_storage.hpp"

namespace pollux::net {

namespace {

// An answer without the other family's, which let wait or failed, is kept no longer than this, in seconds: long enough for a page with all its
// parts, short enough for the family to come back.
constexpr std::uint32_t half_lifetime_max = 30;

[[nodiscard]] std::size_t dots_in(std::string_view name) noexcept {
  return static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
}

[[nodiscard]] bool is_over(const Query& query) noexcept {
  return query.questions[0].is_over() && query.questions[1].is_over();
}

[[nodiscard]] bool has_addresses(const Question& question) noexcept {
  return question.state == Question::State::done && question.error == NameError::none;
}

// Neither an address nor a "no": the question has no answer.
[[nodiscard]] bool has_failed(const Question& question) noexcept {
  return question.state == Question::State::done && question.error != NameError::none &&
         question.error != NameError::not_found && question.error != NameError::no_address;
}

// Puts candidate `index` of the query's name into `out`; its size, 0 if there is none that may be asked.
[[nodiscard]] std::size_t write_candidate(const Query& query, std::size_t index,
                                          std::array<char, name_size_max>& out) noexcept {
  const std::string_view name = query.asked().text;
  const ResolvConf& conf = query.conf;
  // With enough dots the name as it is comes first, else last (resolv.conf(5), ndots).
  const std::size_t plain_at = query.is_absolute || dots_in(name) >= conf.dots_min ? 0 : conf.search_count;
  std::copy(name.begin(), name.end(), out.begin());
  std::size_t size = name.size();
  if (index != plain_at) {
    const std::string_view domain = conf.search(index < plain_at ? index : index - 1);
    if (domain.empty() || size + 1 + domain.size() > out.size()) {
      return 0;
    }
    out[size++] = '.';
    std::copy(domain.begin(), domain.end(), out.begin() + static_cast<std::ptrdiff_t>(size));
    size += domain.size();
  }
  return is_special({out.data(), size}) ? 0 : size;
}

// Both families in turn, at most addresses_max: of a name with many IPv6 addresses some IPv4 ones are tried too.
[[nodiscard]] std::size_t collect(const Query& query, std::array<port::Address, addresses_max>& out) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < addresses_max; ++i) {
    for (const Question& question : query.questions) {
      if (has_addresses(question) && i < question.address_count && count < out.size()) {
        out[count++] = question.addresses[i];
      }
    }
  }
  return count;
}

}  // namespace

port::Time Resolver::prepare_query(Query& query, PollSet& set, port::Time now) noexcept {
  port::Time deadline = query.has_early ? port::never : query.early_at;
  for (std::uint32_t i = 0; i < query.questions.size(); ++i) {
    Question& question = query.questions[i];
    if (!question.socket.is_open()) {
      continue;
    }
    const bool reads = question.state == Question::State::asking || question.state == Question::State::receiving;
    const bool has_room = set.add(question.socket, reads ? port::Events::readable : port::Events::writable,
                                  token_of(tables_.queries->handle_of(query), i));
    ENSURE(has_room);  // the loop was made without sockets_max(ResolverLimits)
    deadline = port::earliest(deadline, question.deadline);
  }
  if (is_over(query)) {
    return now;
  }
  for (const Question& question : query.questions) {
    if (question.state == Question::State::waiting && query.packet_owner == nullptr) {
      return now;
    }
  }
  for (const Lookup* lookup = query.lookups.front(); lookup != nullptr && query.has_early;
       lookup = Lookups::next(*lookup)) {
    if (!lookup->told_early_) {
      return now;
    }
  }
  return deadline;
}

void Resolver::expire_query(Query& query, port::Time now) noexcept {
  for (Question& question : query.questions) {
    if (question.deadline <= now) {
      ask_next_server(query, question, NameError::timed_out, now);
    }
  }
  if (query.early_at <= now && !query.has_early && !is_over(query)) {
    query.has_early = true;
    // Whoever connects with this and leaves ends the query, so what there is is kept now.
    std::array<port::Address, addresses_max> found;
    const std::size_t count = collect(query, found);
    std::uint32_t lifetime = half_lifetime_max;
    for (const Question& question : query.questions) {
      lifetime = has_addresses(question) ? std::min(lifetime, question.lifetime) : lifetime;
    }
    keep(query, {found.data(), count}, NameError::none, lifetime, now);
  }
}

// Asks for the next name of the search list; false if there is none left.
bool Resolver::begin_candidate(Query& query, port::Time now) noexcept {
  const std::size_t count = query.is_absolute ? 1U : query.conf.search_count + 1U;
  while (query.candidate < count) {
    std::array<char, name_size_max> text;
    const std::size_t size = write_candidate(query, query.candidate++, text);
    DnsName name;
    if (size == 0 || !make_dns_name({text.data(), size}, name)) {
      continue;
    }
    query.early_at = port::never;
    const std::array<bool, 2> is_wanted{config_.use_ipv4, config_.use_ipv6 && query.conf.asks_ipv6};
    for (std::size_t i = 0; i < query.questions.size(); ++i) {
      Question& question = query.questions[i];
      question = Question{};
      question.type = i == 0 ? DnsType::a : DnsType::aaaa;
      question.name = name;
      if (is_wanted[i]) {
        ask(query, question, now);
      }
    }
    return true;
  }
  return false;
}

void Resolver::settle(Query& query, port::Time now) noexcept {
  for (Question& question : query.questions) {
    if (question.state == Question::State::waiting && query.packet_owner == nullptr) {
      connect_stream(query, question, now);
    }
  }
  // A candidate may be over as soon as it is begun; each turn of the loop takes one off the list.
  while (is_over(query)) {
    std::array<port::Address, addresses_max> found;
    const std::size_t count = collect(query, found);
    if (count > 0) {
      std::uint32_t lifetime = INT32_MAX;
      for (const Question& question : query.questions) {
        if (has_failed(question)) {
          lifetime = std::min(lifetime, half_lifetime_max);
        } else if (question.state == Question::State::done && (has_addresses(question) || question.lifetime > 0)) {
          lifetime = std::min(lifetime, question.lifetime);
        }
      }
      keep(query, {found.data(), count}, NameError::none, lifetime, now);
      finish_query(query, {found.data(), count}, NameError::none);
      return;
    }
    const bool goes_on = end_candidate(query);
    if (!goes_on || !begin_candidate(query, now)) {
      if (query.error == NameError::not_found || query.error == NameError::no_address) {
        keep(query, {}, query.error, query.negative_lifetime, now);
      }
      finish_query(query, {}, query.error);
      return;
    }
  }
}

// What the candidate's "no" means for the whole query. False: the next name of the list is not asked for, because no server answers. A name that
// is there without an address weighs more than a failed server, and that more than a name that is not there.
bool Resolver::end_candidate(Query& query) noexcept {
  NameError error = NameError::not_found;
  bool any_done = false;
  for (const Question& question : query.questions) {
    if (question.state != Question::State::done) {
      continue;
    }
    any_done = true;
    if (question.error == NameError::timed_out || question.error == NameError::unreachable) {
      query.error = question.error;
      return false;
    }
    if (question.error == NameError::server_failed || error != NameError::server_failed) {
      error = question.error == NameError::not_found ? error : question.error;
    }
    query.negative_lifetime = std::min(query.negative_lifetime, has_failed(question) ? 0 : question.lifetime);
  }
  if (!any_done && !config_.use_ipv4) {
    error = NameError::no_address;  // neither family is asked for
  }
  if (query.error != NameError::no_address && error != NameError::not_found) {
    query.error = error;
  }
  return true;
}

// Its lookups are told in deliver(); the slot is free.
void Resolver::finish_query(Query& query, std::span<port::Address> addresses, NameError error) noexcept {
  order(addresses);
  while (!query.lookups.is_empty()) {
    finish(*query.lookups.pop_front(), addresses, error);
  }
  give_back(query);
}

void Resolver::keep(const Query& query, std::span<const port::Address> addresses, NameError error,
                    std::uint32_t lifetime, port::Time now) noexcept {
  const port::Duration kept = std::min<port::Duration>(
      std::chrono::seconds{lifetime}, error == NameError::none ? config_.cache_max : config_.negative_cache_max);
  if (!query.is_outdated && kept > port::Duration::zero()) {
    tables_.cache.store(query.asked(), addresses, error, now, kept);
  }
}

void Resolver::give_back(Query& query) noexcept {
  for (Question& question : query.questions) {
    close(query, question);
  }
  tables_.queries->give_back(query);
}

}  // namespace pollux::net
