// A DNS message of anybody: nothing stops or reads outside, what is found is within its bounds, and what counts repeats the question. The first
// three bytes choose the question and how the message came; the rest is the message.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "port/ensure.hpp"
#include "stack/net/dns_message.hpp"
#include "stack/net/hosts_file.hpp"
#include "stack/net/resolv_conf.hpp"

namespace {

using namespace pollux;
using namespace pollux::net;

constexpr std::size_t choices_size = 3;

void check_name(const DnsName& name) {
  ENSURE(name.size >= 1);
  std::size_t at = 0;
  while (name.bytes[at] != 0) {
    ENSURE(name.bytes[at] <= 63);
    at += std::size_t{name.bytes[at]} + 1;
    ENSURE(at < name.size);
  }
  ENSURE(at + 1 == name.size);
  ENSURE(equal(name, name));
  ENSURE(is_within(name, name));
}

void check_answer(std::span<const std::byte> message, const DnsQuestion& question, DnsCarrier carrier) {
  const DnsAnswer answer = read_dns_answer(message, question, carrier);
  ENSURE(answer.address_count <= answer.addresses.size());
  ENSURE((answer.outcome == DnsOutcome::addresses) == (answer.address_count > 0));
  ENSURE(answer.lifetime <= INT32_MAX);
  if (answer.outcome == DnsOutcome::not_ours) {
    return;
  }
  ENSURE(message.size() >= 12);
  ENSURE(message[0] == static_cast<std::byte>(question.id >> 8));
  ENSURE(message[1] == static_cast<std::byte>(question.id & 0xffU));
  ENSURE(answer.outcome != DnsOutcome::truncated || carrier == DnsCarrier::datagram);
  if (answer.outcome == DnsOutcome::addresses || answer.outcome == DnsOutcome::alias) {
    check_name(answer.target);
    ENSURE(answer.alias_count <= dns_aliases_max);
    ENSURE((answer.alias_count == 0) == equal(answer.target, question.name) || answer.alias_count > 0);
  }
  for (std::size_t i = 0; i < answer.address_count; ++i) {
    ENSURE(answer.addresses[i].family == (question.type == DnsType::a ? port::Family::ipv4 : port::Family::ipv6));
    ENSURE(answer.addresses[i].port == 0);
  }
}

// Whatever a name was read from, written as a question it is read back the same.
void check_names(std::span<const std::byte> message) {
  for (std::size_t begin = 0; begin < message.size(); begin += 1 + begin / 16) {
    std::size_t at = begin;
    DnsName name;
    if (!read_dns_name(message, at, name)) {
      continue;
    }
    ENSURE(at > begin);
    ENSURE(at <= message.size());
    check_name(name);
    std::array<std::byte, dns_question_size_max> out;
    const std::size_t size = write_dns_question(out, {.id = 7, .name = name, .type = DnsType::a, .has_options = false});
    std::size_t again_at = 12;
    DnsName again;
    const bool is_read = read_dns_name(std::span{out}.first(size), again_at, again);
    ENSURE(is_read);
    ENSURE(equal(name, again));
    ENSURE(again_at + 4 == size);
  }
}

// The text files, whole and in pieces.
void check_texts(std::string_view text) {
  const ResolvConf conf = parse_resolv_conf(text);
  ENSURE(conf.server_count <= conf.servers.size());
  ENSURE(conf.search_count <= search_domains_max);
  for (std::size_t i = 0; i < conf.search_count; ++i) {
    ENSURE(conf.search(i).empty() || is_host_name(conf.search(i)));
  }
  HostsScan whole{"ab"};
  whole.feed(text);
  whole.finish();
  HostsScan pieces{"ab"};
  for (const char& c : text) {
    pieces.feed({&c, 1});
  }
  pieces.finish();
  ENSURE(std::equal(whole.addresses().begin(), whole.addresses().end(), pieces.addresses().begin(),
                    pieces.addresses().end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < choices_size) {
    return 0;
  }
  // A copy of its exact size, where AddressSanitizer watches the ends.
  const std::size_t message_size = size - choices_size;
  const std::unique_ptr<std::byte[]> memory{new std::byte[message_size]};
  std::transform(data + choices_size, data + size, memory.get(), [](std::uint8_t byte) { return std::byte{byte}; });
  const std::span<const std::byte> message{memory.get(), message_size};

  // Mostly the very question that the message has, so that what is behind it is looked at.
  DnsName name;
  std::size_t at = 12;
  if ((data[0] & 7U) == 0 || !read_dns_name(message, at, name)) {
    const bool is_good = make_dns_name("www.test", name);
    ENSURE(is_good);
  }
  const std::uint16_t own_id = message_size < 2
                                   ? std::uint16_t{0}
                                   : static_cast<std::uint16_t>(std::to_integer<unsigned>(message[0]) << 8 |
                                                                std::to_integer<unsigned>(message[1]));
  const DnsQuestion question{.id = (data[0] & 0x38U) == 0 ? std::uint16_t{1} : own_id,
                             .name = name,
                             .type = (data[1] & 1U) != 0 ? DnsType::aaaa : DnsType::a};
  for (const DnsCarrier carrier : {DnsCarrier::datagram, DnsCarrier::stream, DnsCarrier::cut_stream}) {
    check_answer(message, question, carrier);
    check_answer(message.first(message_size - message_size * data[2] / 256), question, carrier);
  }
  check_names(message);
  check_texts({reinterpret_cast<const char*>(memory.get()), message_size});
  return 0;
}
