// SimNameServer: asked by hand, byte by byte, so that what a resolver is later tested with is known to be right (or wrong).
#include "port/sim/sim_name_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::port {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr Address server_at = Address::ipv4(192, 0, 2, 53, 53);
constexpr std::string_view opt_1232 = "\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00"sv;

// A query with id 0x1234 and RD.
std::string query_for(std::string_view name, std::uint16_t type, std::string_view opt = {}) {
  std::string text = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"s;
  text += opt.empty() ? '\0' : '\1';
  while (!name.empty()) {
    const std::size_t size = std::min(name.find('.'), name.size());
    text += static_cast<char>(size);
    text += name.substr(0, size);
    name.remove_prefix(std::min(size + 1, name.size()));
  }
  text += "\0\0"s;
  text += static_cast<char>(type);
  text += "\0\1"s;
  return text + std::string{opt};
}

// A message in words: "1234 NOERROR TC | www.test A | www.test 300 CNAME host.test, ... | authority | additional". What cannot be
// read is "?".
class Words {
 public:
  explicit Words(std::string_view message) : message_{message} {}

  std::string all() {
    if (message_.size() < 12) {
      return "short";
    }
    std::array<char, 5> id{};
    std::snprintf(id.data(), id.size(), "%04x", number(2));
    const unsigned flags = number(2);
    std::array<unsigned, 4> counts{};
    for (unsigned& count : counts) {
      count = number(2);
    }
    static constexpr std::array<const char*, 6> codes{"NOERROR",  "FORMERR", "SERVFAIL",
                                                      "NXDOMAIN", "NOTIMP",  "REFUSED"};
    std::string text = std::string{id.data()} + " " + ((flags & 0x8000) != 0 ? codes.at(flags & 15) : "query");
    text += (flags & 0x200) != 0 ? " TC" : "";
    text += " | ";
    for (unsigned i = 0; i < counts[0] && is_good_; ++i) {
      text += name();
      text += type(number(2));
      static_cast<void>(number(2));
    }
    for (std::size_t section = 1; section < 4; ++section) {
      text += " | ";
      for (unsigned i = 0; i < counts[section] && is_good_; ++i) {
        text += (i == 0 ? "" : ", ") + record();
      }
    }
    return text + (is_good_ && at_ == message_.size() ? "" : "?");
  }

 private:
  unsigned number(std::size_t size) {
    unsigned value = 0;
    for (; size != 0; --size) {
      is_good_ = is_good_ && at_ < message_.size();
      value = value << 8 | (is_good_ ? static_cast<unsigned char>(message_[at_++]) : 0U);
    }
    return value;
  }
  static std::string type(unsigned type) {
    switch (type) {
      case 1:
        return " A";
      case 5:
        return " CNAME";
      case 6:
        return " SOA";
      case 28:
        return " AAAA";
      default:
        return " TYPE" + std::to_string(type);
    }
  }
  std::string name() {
    std::string text;
    std::size_t back = 0;
    for (int labels = 0; is_good_; ++labels) {
      const unsigned size = number(1);
      if ((size & 0xC0) == 0xC0) {
        const std::size_t target = (size & 0x3F) << 8 | number(1);
        is_good_ = is_good_ && labels < 40 && target < at_ - 2;
        back = back == 0 ? at_ : back;
        at_ = is_good_ ? target : at_;
        continue;
      }
      if (size == 0) {
        break;
      }
      is_good_ = is_good_ && size < 64 && at_ + size <= message_.size() && text.size() + size < 255;
      if (is_good_) {
        text += (text.empty() ? "" : ".") + std::string{message_.substr(at_, size)};
        at_ += size;
      }
    }
    at_ = back != 0 ? back : at_;
    return text.empty() ? "." : text;
  }
  std::string record() {
    std::string text = name();
    const unsigned record_type = number(2);
    const unsigned record_class = number(2);
    const unsigned ttl = number(4);
    const unsigned size = number(2);
    if (record_type == 41) {
      return "OPT " + std::to_string(record_class);
    }
    text += " " + std::to_string(ttl) + (record_class == 1 ? "" : " CLASS" + std::to_string(record_class));
    text += type(record_type) + " ";
    const std::size_t end = at_ + size;
    is_good_ = is_good_ && end <= message_.size();
    if (!is_good_) {
      return text;
    }
    if (record_type == 5) {
      text += name();
    } else if (record_type == 6) {
      static_cast<void>(name());
      static_cast<void>(name());
      at_ += 16;
      text += std::to_string(number(4));
    } else if ((record_type == 1 && size == 4) || (record_type == 28 && size == 16)) {
      Address address{.family = size == 4 ? Family::ipv4 : Family::ipv6};
      std::copy_n(message_.begin() + static_cast<std::ptrdiff_t>(at_), size, address.ip.begin());
      std::array<char, address_text_max> out{};
      text += format_ip(address, out);
      at_ += size;
    }
    is_good_ = is_good_ && at_ == end;
    return text;
  }

  std::string_view message_;
  std::size_t at_ = 0;
  bool is_good_ = true;
};

class SimNameServerTest : public ::testing::Test {
 protected:
  SimNameServerTest() {
    server_.add("host.test", Address::ipv4(192, 0, 2, 1, 0), 60);
    server_.add("host.test", *parse_ip("2001:db8::1"), 61);
    server_.add_alias("www.test", "host.test", 62);
    server_.add("four.test", Address::ipv4(192, 0, 2, 4, 0));
    server_.add("deep.below.test", Address::ipv4(192, 0, 2, 5, 0));
  }

  // All that is answered over UDP within a second, in words.
  std::vector<std::string> ask(const std::string& query) {
    const Socket socket = port_.connect_datagram(server_at).value();
    EXPECT_EQ(port_.send(socket, std::as_bytes(std::span{query}), {}, false).status, IoStatus::ok);
    std::vector<std::string> answers;
    std::string out(4096, '\0');
    const Time limit = network_.now() + 1s;
    while (network_.now() < limit) {
      std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = Events::readable}};
      port_.poll(entries, {}, limit);
      const IoResult result = port_.recv(socket, std::as_writable_bytes(std::span{out}));
      if (result.status == IoStatus::ok) {
        answers.push_back(Words{std::string_view{out}.substr(0, result.size)}.all());
      } else if (result.status == IoStatus::failed) {
        answers.push_back("refused");
      }
    }
    port_.close(socket);
    return answers;
  }
  // The only answer.
  std::string one(const std::string& query) {
    const std::vector<std::string> answers = ask(query);
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? "" : answers[0];
  }
  std::string one(std::string_view name, std::uint16_t type) { return one(query_for(name, type)); }

  static std::string framed(const std::string& query) {
    return std::string{static_cast<char>(query.size() >> 8), static_cast<char>(query.size() & 0xFF)} + query;
  }
  // All bytes that come back over TCP within a second, or until the end, which shows as "$".
  std::string exchange(const std::string& bytes, std::size_t piece = 4096) {
    const auto socket = port_.connect({.address = server_at});
    if (!socket) {
      return "refused";
    }
    std::string received;
    std::string out(4096, '\0');
    std::size_t sent = 0;
    const Time limit = network_.now() + 1s;
    while (network_.now() < limit) {
      std::array<PollEntry, 2> entries{PollEntry{.socket = *socket, .interest = Events::readable}};
      if (sent < bytes.size() || !port_.connect_result(*socket)) {
        entries[0].interest = entries[0].interest | Events::writable;
      }
      port_.poll(entries, {}, limit);
      const auto connected = port_.connect_result(*socket);
      if (!connected && connected.error() == Error::refused) {
        received = "refused";
        break;
      }
      if (sent < bytes.size() && has(entries[0].ready, Events::writable)) {
        const std::string_view part = std::string_view{bytes}.substr(sent, piece);
        sent += port_.send(*socket, std::as_bytes(std::span{part.data(), part.size()}), {}, false).size;
      }
      const IoResult result = port_.recv(*socket, std::as_writable_bytes(std::span{out}));
      received.append(out, 0, result.size);
      if (result.status == IoStatus::end || result.status == IoStatus::failed) {
        received += '$';
        break;
      }
    }
    port_.close(*socket);
    return received;
  }
  // The messages in what came over TCP; what is no whole message is "cut".
  static std::vector<std::string> messages(std::string_view bytes) {
    std::vector<std::string> all;
    while (bytes.size() >= 2) {
      const std::size_t size =
          static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8 | static_cast<unsigned char>(bytes[1]);
      if (bytes.size() < 2 + size) {
        all.push_back("cut");
        return all;
      }
      all.push_back(Words{bytes.substr(2, size)}.all());
      bytes.remove_prefix(2 + size);
    }
    return all;
  }

  SimNetwork network_{{.seed = 5}};
  SimPort port_{network_};
  SimNameServer server_{network_, server_at};
};

constexpr std::uint16_t a = SimNameServer::a;
constexpr std::uint16_t aaaa = SimNameServer::aaaa;
const std::string no_soa = " | . 60 SOA 60 | ";

TEST_F(SimNameServerTest, AnswersFromItsRecords) {
  struct Case {
    std::string_view name;
    std::uint16_t type;
    std::string answer;
  };
  const Case cases[] = {
      {"host.test", a, "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | "},
      {"host.test", aaaa, "1234 NOERROR | host.test AAAA | host.test 61 AAAA 2001:db8::1 |  | "},
      {"HOST.Test", a, "1234 NOERROR | HOST.Test A | HOST.Test 60 A 192.0.2.1 |  | "},
      {"www.test", a, "1234 NOERROR | www.test A | www.test 62 CNAME host.test, host.test 60 A 192.0.2.1 |  | "},
      {"www.test", SimNameServer::cname, "1234 NOERROR | www.test CNAME | www.test 62 CNAME host.test |  | "},
      {"four.test", aaaa, "1234 NOERROR | four.test AAAA | " + no_soa},
      {"below.test", a, "1234 NOERROR | below.test A | " + no_soa},
      {"test", a, "1234 NOERROR | test A | " + no_soa},
      {"", a, "1234 NOERROR | . A | " + no_soa},
      {"nothing.test", a, "1234 NXDOMAIN | nothing.test A | " + no_soa},
      {"elow.test", a, "1234 NXDOMAIN | elow.test A | " + no_soa},
  };
  for (const bool compresses : {true, false}) {
    server_.set_compression(compresses);
    for (const Case& c : cases) {
      std::string expected = c.answer;
      if (!compresses && c.name == "HOST.Test") {
        expected = "1234 NOERROR | HOST.Test A | host.test 60 A 192.0.2.1 |  | ";  // not by a pointer to the question
      }
      EXPECT_EQ(one(c.name, c.type), expected) << c.name;
    }
  }
  EXPECT_EQ(server_.malformed(), 0U);
  EXPECT_EQ(server_.queries_seen(), 2 * std::size(cases));
}

TEST_F(SimNameServerTest, TheBytesOfAnAnswer) {
  const Socket socket = port_.connect_datagram(server_at).value();
  const std::string query = query_for("host.test", a, opt_1232);
  EXPECT_EQ(port_.send(socket, std::as_bytes(std::span{query}), {}, false).status, IoStatus::ok);
  network_.advance(1ms);
  std::string out(512, '\0');
  out.resize(port_.recv(socket, std::as_writable_bytes(std::span{out})).size);
  EXPECT_EQ(out,
            "\x12\x34\x81\x80\0\1\0\1\0\0\0\1"
            "\4host\4test\0\0\1\0\1"
            "\xC0\x0C\0\1\0\1\0\0\0\x3C\0\4\xC0\0\2\1"
            "\0\0\x29\x04\xD0\0\0\0\0\0\0"s);
  port_.close(socket);
}

TEST_F(SimNameServerTest, RecordsMayChange) {
  server_.replace("HOST.test", Address::ipv4(192, 0, 2, 9, 0), 1);
  EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A | host.test 1 A 192.0.2.9 |  | ");
  EXPECT_EQ(one("host.test", aaaa), "1234 NOERROR | host.test AAAA | " + no_soa);
  server_.remove("host.test");
  EXPECT_EQ(one("host.test", a), "1234 NXDOMAIN | host.test A | " + no_soa);
  EXPECT_EQ(one("www.test", a), "1234 NXDOMAIN | www.test A | www.test 62 CNAME host.test" + no_soa) << "RFC 2308 2.1";
  server_.add_empty("host.test");
  EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A | " + no_soa);
  server_.set_negative_ttl(7, 5);
  EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A |  | . 7 SOA 5 | ");
  server_.set_authority(false);
  EXPECT_EQ(one("nothing.test", a), "1234 NXDOMAIN | nothing.test A |  |  | ");
}

TEST_F(SimNameServerTest, AliasesThatStopShortAndThatGoRound) {
  server_.add_alias("x.test", "y.test", 1);
  server_.add_alias("y.test", "x.test", 2);
  const std::string round = one("x.test", a);
  EXPECT_EQ(std::count(round.begin(), round.end(), ','), 7) << "eight aliases: " << round;
  server_.set_follows_aliases(false);
  EXPECT_EQ(one("www.test", a), "1234 NOERROR | www.test A | www.test 62 CNAME host.test |  | ");
  EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
}

TEST_F(SimNameServerTest, RulesDecideTheAnswer) {
  const std::pair<SimNameAnswer, std::string> cases[] = {
      {SimNameAnswer::no_such_name, "1234 NXDOMAIN | host.test A | " + no_soa},
      {SimNameAnswer::no_data, "1234 NOERROR | host.test A | " + no_soa},
      {SimNameAnswer::server_failure, "1234 SERVFAIL | host.test A |  |  | "},
      {SimNameAnswer::refused, "1234 REFUSED | host.test A |  |  | "},
      {SimNameAnswer::not_implemented, "1234 NOTIMP | host.test A |  |  | "},
      {SimNameAnswer::format_error, "1234 FORMERR | host.test A |  |  | "},
      {SimNameAnswer::truth, "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | "},
  };
  for (const auto& [answer, words] : cases) {
    server_.add_rule({.name = "Host.Test", .type = a, .answer = answer});  // the last one decides
    EXPECT_EQ(one("host.test", a), words);
    EXPECT_EQ(one("host.test", aaaa), "1234 NOERROR | host.test AAAA | host.test 61 AAAA 2001:db8::1 |  | ");
    EXPECT_EQ(one("four.test", a), "1234 NOERROR | four.test A | four.test 300 A 192.0.2.4 |  | ");
  }
  server_.add_rule({.type = aaaa, .queries_max = 2, .answer = SimNameAnswer::silent});
  EXPECT_TRUE(ask(query_for("host.test", aaaa)).empty());
  EXPECT_TRUE(ask(query_for("four.test", aaaa)).empty());
  EXPECT_EQ(ask(query_for("host.test", aaaa)).size(), 1U) << "the rule is used up";
  server_.add_rule({.over = SimNameTransport::stream, .answer = SimNameAnswer::refused});
  EXPECT_EQ(one("host.test", a), cases[6].second);
}

TEST_F(SimNameServerTest, DelayAndLoss) {
  server_.add_rule({.type = a, .delay = 300ms});
  const Socket socket = port_.connect_datagram(server_at).value();
  const std::string query = query_for("host.test", a);
  static_cast<void>(port_.send(socket, std::as_bytes(std::span{query}), {}, false));
  const Time begin = network_.now();
  std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = Events::readable}};
  while (entries[0].ready == Events::none) {
    port_.poll(entries, {}, never);
  }
  EXPECT_EQ(network_.now(), begin + 300ms);
  port_.close(socket);

  server_.clear_rules();
  server_.add_rule({.loss = 0.5});
  std::size_t answers = 0;
  for (int i = 0; i < 100; ++i) {
    answers += ask(query).size();
  }
  EXPECT_GT(answers, 30U);
  EXPECT_LT(answers, 70U);
}

TEST_F(SimNameServerTest, SeesIdsPortsAndTypes) {
  static_cast<void>(ask(query_for("www.test", aaaa, opt_1232)));
  std::string second = query_for("www.test", a);
  second[0] = '\x77';
  second[2] = '\0';  // no recursion
  static_cast<void>(ask(second));
  ASSERT_EQ(server_.queries().size(), 2U);
  const SimNameServer::Query& query = server_.queries()[0];
  EXPECT_EQ(query.question.id, 0x1234);
  EXPECT_EQ(query.question.name(), "www.test");
  EXPECT_EQ(query.question.type, aaaa);
  EXPECT_TRUE(query.question.recursion_desired);
  EXPECT_TRUE(query.question.has_edns);
  EXPECT_EQ(query.question.edns_size, 1232);
  EXPECT_FALSE(query.over_tcp);
  EXPECT_EQ(query.from.ip, port_.ipv4_address().ip);
  EXPECT_EQ(server_.queries()[1].question.id, 0x7734);
  EXPECT_FALSE(server_.queries()[1].question.has_edns);
  EXPECT_FALSE(server_.queries()[1].question.recursion_desired);
  EXPECT_NE(server_.queries()[1].from.port, query.from.port);
  EXPECT_EQ(server_.queries_seen("WWW.test", a), 1U);
  EXPECT_EQ(server_.queries_seen("www.test", SimNameServer::cname), 0U);
}

TEST_F(SimNameServerTest, RefusesWhatIsNoGoodQuery) {
  const std::string good = query_for("host.test", a);
  const std::string with_opt = query_for("host.test", a, opt_1232);
  const auto changed = [](std::string text, std::size_t at, char value) {
    text[at] = value;
    return text;
  };
  EXPECT_TRUE(ask(good.substr(0, 11)).empty());
  EXPECT_TRUE(ask(changed(good, 2, '\x81')).empty()) << "an answer";
  EXPECT_EQ(one(changed(good, 2, '\x21')), "1234 NOTIMP |  |  |  | ") << "NOTIFY";
  const std::string malformed[] = {
      changed(good, 3, '\x40'),  // reserved bit
      changed(good, 5, '\0'),    // no question
      changed(good, 5, '\2'),    // two
      changed(good, 7, '\1'),    // an answer
      changed(good, 9, '\1'),    // an authority
      changed(good, 11, '\1'),   // an OPT that is not there
      good.substr(0, 12),        // no name
      good.substr(0, 20),        // cut in the name
      good.substr(0, good.size() - 1),
      good + "x",                                      // something behind it
      changed(good, 12, '\xC0'),                       // compression
      changed(good, 12, '\x40'),                       // unknown label
      changed(with_opt, with_opt.size() - 9, '\x28'),  // no OPT
      changed(with_opt, with_opt.size() - 5, '\1'),    // EDNS version 1
      changed(with_opt, with_opt.size() - 1, '\1'),    // data that is not there
      query_for(std::string(63, 'x') + "." + std::string(63, 'x') + "." + std::string(63, 'x') + "." +
                    std::string(62, 'x'),  // 254 bytes
                a),
  };
  for (const std::string& query : malformed) {
    EXPECT_EQ(one(query), "1234 FORMERR |  |  |  | ");
  }
  EXPECT_EQ(server_.malformed(), std::size(malformed) + 3);
  EXPECT_EQ(server_.queries_seen(), 0U);
  EXPECT_EQ(one(query_for(std::string(63, 'x') + "." + std::string(63, 'x') + "." + std::string(63, 'x') + "." +
                              std::string(61, 'x'),
                          a))
                .substr(0, 13),
            "1234 NXDOMAIN")
      << "253 bytes";
}

TEST_F(SimNameServerTest, Edns) {
  EXPECT_EQ(one(query_for("host.test", a, opt_1232)),
            "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | OPT 1232");
  server_.set_edns(SimNameEdns::ignored);
  EXPECT_EQ(one(query_for("host.test", a, opt_1232)), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
  server_.set_edns(SimNameEdns::format_error);
  EXPECT_EQ(one(query_for("host.test", a, opt_1232)), "1234 FORMERR | host.test A |  |  | ");
  EXPECT_EQ(one(query_for("host.test", a)), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
  server_.set_edns(SimNameEdns::silent);
  EXPECT_TRUE(ask(query_for("host.test", a, opt_1232)).empty());
  EXPECT_EQ(one(query_for("host.test", a)), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
}

TEST_F(SimNameServerTest, TruncatesAndAnswersWholeOverTcp) {
  for (int i = 0; i < 100; ++i) {
    server_.add("large.test", Address::ipv4(198, 51, 100, static_cast<std::uint8_t>(i), 0));
  }
  const auto addresses = [](const std::string& words) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = words.find("198.51.100.", at)) != std::string::npos; ++at) {
      ++count;
    }
    return count;
  };
  // 12 for the header, 16 for the question, 16 for each record.
  const std::string classic = one("large.test", a);
  EXPECT_EQ(classic.substr(0, 15), "1234 NOERROR TC");
  EXPECT_EQ(addresses(classic), 30U) << "512 bytes";
  const std::string edns = one(query_for("large.test", a, opt_1232));
  EXPECT_EQ(edns.substr(0, 15), "1234 NOERROR TC");
  EXPECT_EQ(addresses(edns), 74U) << "1232 bytes, with an OPT record of 11";
  EXPECT_EQ(edns.substr(edns.size() - 8), "OPT 1232");
  EXPECT_EQ(server_.truncated(), 2U);

  const auto whole = messages(exchange(framed(query_for("large.test", a))));
  ASSERT_EQ(whole.size(), 1U);
  EXPECT_EQ(whole[0].substr(0, 14), "1234 NOERROR |");
  EXPECT_EQ(addresses(whole[0]), 100U);
  EXPECT_TRUE(server_.queries().back().over_tcp);

  server_.set_datagram_size_max(0);
  EXPECT_EQ(one("host.test", a), "1234 NOERROR TC | host.test A |  |  | ");
}

TEST_F(SimNameServerTest, TcpInAnyPieces) {
  const std::string two = framed(query_for("host.test", a)) + framed(query_for("www.test", aaaa));
  const std::vector<std::string> expected{
      "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ",
      "1234 NOERROR | www.test AAAA | www.test 62 CNAME host.test, host.test 61 AAAA 2001:db8::1 |  | "};
  for (const std::size_t piece : {1U, 2U, 3U, 30U, 1000U}) {
    EXPECT_EQ(messages(exchange(two, piece)), expected) << piece;
  }
  network_.link() = {.latency_min = 1ms, .latency_max = 3ms, .send_buffer = 7, .receive_buffer = 5};
  EXPECT_EQ(messages(exchange(two, 1000)), expected);
  EXPECT_EQ(server_.connections(), 6U);
  network_.advance(1s);
  EXPECT_EQ(network_.connections(), 0U) << "all closed by the server too";
}

TEST_F(SimNameServerTest, TcpDelaySilenceAndBadQueries) {
  const std::string query = framed(query_for("host.test", a));
  server_.add_rule({.over = SimNameTransport::stream, .queries_max = 1, .delay = 200ms});
  EXPECT_EQ(messages(exchange(query)).size(), 1U);
  server_.add_rule({.over = SimNameTransport::stream, .queries_max = 1, .answer = SimNameAnswer::silent});
  EXPECT_EQ(exchange(query), "");
  EXPECT_EQ(exchange("\xFF\xFF"s), "$") << "too large a query";
  EXPECT_EQ(exchange(framed("nonsense")), "$");
  EXPECT_EQ(server_.malformed(), 2U);
  server_.set_stream(false);
  EXPECT_EQ(exchange(query), "refused");
  server_.set_stream(true);
  EXPECT_EQ(messages(exchange(query)).size(), 1U);
  server_.set_running(false);
  EXPECT_EQ(one("host.test", a), "refused");
  EXPECT_EQ(exchange(query), "refused");
  server_.set_running(true);
  EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
}

TEST_F(SimNameServerTest, Lies) {
  struct Case {
    SimNameLie lie;
    std::string words;
  };
  const std::string truth = "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ";
  const Case cases[] = {
      {SimNameLie::wrong_id, "4761 NOERROR | host.test A | host.test 300 A 203.0.113.66 |  | "},
      {SimNameLie::wrong_question,
       "1234 NOERROR | victim.test A | victim.test 300 A 203.0.113.66, host.test 300 A 203.0.113.66 |  | "},
      {SimNameLie::wrong_type,
       "1234 NOERROR | host.test AAAA | host.test 300 A 203.0.113.66, host.test 300 AAAA 2001:db8:bad0::66 |  | "},
      {SimNameLie::extra_answers,
       "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1, victim.test 300 A 203.0.113.66, victim.test 300 AAAA "
       "2001:db8:bad0::66 |  | victim.test 300 A 203.0.113.66"},
      {SimNameLie::forged_alias,
       "1234 NOERROR | host.test A | victim.test 300 CNAME evil.test, evil.test 300 A 203.0.113.66, victim.test 300 A "
       "203.0.113.66 |  | "},
      {SimNameLie::no_question, "1234 NOERROR |  | host.test 300 A 203.0.113.66 |  | "},
      {SimNameLie::question_back, "1234 query | host.test A |  |  | "},
      {SimNameLie::pointer_loop, "?"},
      {SimNameLie::pointer_forward, "?"},
      {SimNameLie::long_name, "?"},
      {SimNameLie::bad_label, "?"},
      {SimNameLie::bad_data_size, "?"},
      {SimNameLie::long_data, "?"},
      {SimNameLie::many_records, "?"},
      {SimNameLie::other_class, "1234 NOERROR | host.test A | host.test 300 CLASS3 A 203.0.113.66 |  | "},
  };
  for (const Case& c : cases) {
    server_.add_rule({.lie = c.lie});
    const std::vector<std::string> over_udp = ask(query_for("host.test", a));
    const std::vector<std::string> over_tcp = messages(exchange(framed(query_for("host.test", a))));
    for (const auto& answers : {over_udp, over_tcp}) {
      ASSERT_EQ(answers.size(), 2U) << c.words;
      if (c.words == "?") {
        EXPECT_EQ(answers[0].back(), '?') << answers[0];
      } else {
        EXPECT_EQ(answers[0], c.words);
      }
      EXPECT_EQ(answers[1], truth);
    }
    server_.add_rule({.lie = c.lie, .truth_follows = false});
    EXPECT_EQ(ask(query_for("host.test", aaaa)).size(), 1U);
  }
}

TEST_F(SimNameServerTest, LiesAboutTheSenderAreNotHeardAtAll) {
  for (const SimNameLie lie : {SimNameLie::wrong_address, SimNameLie::wrong_port}) {
    server_.add_rule({.lie = lie});
    EXPECT_EQ(one("host.test", a), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ");
    server_.add_rule({.lie = lie, .truth_follows = false});
    EXPECT_TRUE(ask(query_for("host.test", a)).empty());
  }
}

TEST_F(SimNameServerTest, CutMessagesAndGarbage) {
  const std::string query = query_for("host.test", a);
  server_.add_rule({.lie = SimNameLie::cut, .truth_follows = false});
  for (int i = 0; i < 50; ++i) {
    const std::string words = one(query);
    EXPECT_TRUE(words == "short" || words.back() == '?') << words;
  }
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = exchange(framed(query));
    EXPECT_EQ(bytes.back(), '$');
    EXPECT_LT(bytes.size(), 2U + 43 + 1);
  }
  server_.add_rule({.lie = SimNameLie::garbage, .truth_follows = false});
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(one(query));
  }
  server_.add_rule({.lie = SimNameLie::empty});
  EXPECT_EQ(one(query), "1234 NOERROR | host.test A | host.test 60 A 192.0.2.1 |  | ") << "empty ones are passed over";
  EXPECT_EQ(messages(exchange(framed(query))).size(), 2U);
}

TEST_F(SimNameServerTest, AnswersWithoutTakingMemory) {
  const std::string query = query_for("www.test", a, opt_1232);
  const std::string stream_query = framed(query);
  std::string out(4096, '\0');
  const auto memory = std::as_writable_bytes(std::span{out});
  std::array<PollEntry, 2> entries{};
  const heap_guard::Forbidden no_heap;
  for (int i = 0; i < 300; ++i) {  // more than it keeps
    const Socket socket = port_.connect_datagram(server_at).value();
    static_cast<void>(port_.send(socket, std::as_bytes(std::span{query}), {}, false));
    network_.advance(1ms);
    EXPECT_EQ(port_.recv(socket, memory).status, IoStatus::ok);
    port_.close(socket);
  }
  const Socket socket = port_.connect({.address = server_at}).value();
  static_cast<void>(port_.send(socket, std::as_bytes(std::span{stream_query}), {}, false));
  entries[0] = {.socket = socket, .interest = Events::readable};
  while (entries[0].ready == Events::none) {
    port_.poll(entries, {}, never);
  }
  EXPECT_EQ(port_.recv(socket, memory).status, IoStatus::ok);
  port_.close(socket);
}

}  // namespace
}  // namespace pollux::port
