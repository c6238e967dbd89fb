// The gateway in a bad network: clients and upstreams that send in small pieces, stall, reset and vanish at random, from a seed. Whatever
// happens, an answer that a client got whole is the one it asked for, and once the peers are gone nothing is held.
#include <deque>
#include <random>

#include "tests/apps/gateway_site.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

constexpr std::string_view storm_config =
    "route / http://127.0.0.1:8081 http://127.0.0.1:8082\n"
    "option connect-timeout 1s\noption response-timeout 2s\noption body-timeout 2s\noption client-timeout 3s\n"
    "option upgrade-timeout 3s\noption fail-timeout 1s\noption max-fails 5\n";

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_{seed}, site_{storm_config, options(seed)} {
    origins_[0] = &site_.talk.listen(8081);
    origins_[1] = &site_.talk.listen(8082);
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      if (clients_.size() < 8 && chance(10)) {
        begin_client();
      }
      for (RawServer* origin : origins_) {
        if (origin->waiting() > 0) {
          upstreams_.push_back({.peer = &origin->accept()});
        }
      }
      for (Client& client : clients_) {
        play(client);
      }
      for (Upstream& upstream : upstreams_) {
        play(upstream);
      }
      std::erase_if(clients_, [](const Client& client) { return client.done; });
      std::erase_if(upstreams_, [](const Upstream& upstream) { return upstream.done; });
      site_.talk.advance(std::chrono::milliseconds{random_() % 20});
    }
    for (const Client& client : clients_) {
      client.peer->reset();
    }
    for (const Upstream& upstream : upstreams_) {
      upstream.peer->reset();
    }
    site_.talk.advance(20s);
    site_.expect_quiet();
    EXPECT_GT(whole_, 0);
  }

  [[nodiscard]] int whole() const { return whole_; }

 private:
  struct Client {
    Peer* peer = nullptr;
    std::size_t number = 0;
    std::string rest;  // of the request
    bool done = false;
  };
  struct Upstream {
    Peer* peer = nullptr;
    std::string got{};
    std::string rest{};  // of the answer
    bool upgraded = false;
    bool done = false;
  };

  static GatewaySiteOptions options(std::uint64_t seed) {
    GatewaySiteOptions result;
    result.conversation.network = {.seed = seed,
                                   .link = {.latency_min = 0ms,
                                            .latency_max = 5ms,
                                            .send_buffer = 2048,
                                            .receive_buffer = 2048,
                                            .recv_size_min = 1,
                                            .recv_size_max = 700,
                                            .partial_send = 0.3,
                                            .reset = 0.001}};
    return result;
  }
  // The lines between chunks, wherever they cut the body.
  static std::string without_chunk_lines(std::string text) {
    for (std::size_t at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at)) {
      const std::size_t end = text.find_first_not_of("0123456789abcdef", at + 2);
      if (end != std::string::npos && end > at + 2 && text.compare(end, 2, "\r\n") == 0) {
        text.erase(at, end + 2 - at);
      } else {
        ++at;
      }
    }
    return text;
  }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  void begin_client() {
    Client client{.peer = &site_.connect(), .number = ++number_, .rest = {}, .done = false};
    const std::string target = "/" + std::to_string(client.number);
    switch (random_() % 5) {
      case 0:
        client.rest = get(target);
        break;
      case 1:
        client.rest =
            "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n" + std::string(9000, 'b');
        break;
      case 2:
        client.rest = "POST " + target +
                      " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n" + "fff\r\n" +
                      std::string(4095, 'c') + "\r\n0\r\n\r\n";
        break;
      case 3:
        client.rest = get(target, "Connection: Upgrade\r\nUpgrade: echo\r\n");
        break;
      default:
        client.rest = get(target) + get(target);
        break;
    }
    clients_.push_back(client);
  }

  void play(Client& client) {
    if (!client.rest.empty() && chance(70)) {
      const std::size_t count = std::min<std::size_t>(client.rest.size(), 1 + random_() % 4000);
      client.peer->say(client.rest.substr(0, count));
      client.rest.erase(0, count);
    }
    if (chance(1)) {
      client.peer->reset();
      client.done = true;
      return;
    }
    if (chance(1)) {
      chance(50) ? client.peer->stop_reading() : client.peer->resume_reading();
    }
    // The upstream's body is its request's target, so that an answer tells whose it is.
    const std::string got = without_chunk_lines(client.peer->received());
    if (const std::size_t at = got.find("<<"); at != std::string::npos) {
      if (const std::size_t end = got.find(">>", at); end != std::string::npos) {
        EXPECT_EQ(got.substr(at, end - at), "<</" + std::to_string(client.number));
        ++whole_;
        client.peer->close();
        client.done = true;
        return;
      }
    }
    if (client.peer->is_closed() || client.peer->is_reset()) {
      client.done = true;
    }
  }

  void play(Upstream& upstream) {
    if (upstream.peer->is_closed() || upstream.peer->is_reset()) {
      upstream.peer->close();
      upstream.done = true;
      return;
    }
    if (chance(1)) {
      chance(50) ? upstream.peer->reset() : upstream.peer->close();
      upstream.done = true;
      return;
    }
    if (upstream.upgraded) {
      upstream.peer->say(upstream.peer->take());
      return;
    }
    upstream.got += upstream.peer->take();
    if (upstream.rest.empty()) {
      answer(upstream);
    } else if (chance(60)) {
      const std::size_t count = std::min<std::size_t>(upstream.rest.size(), 1 + random_() % 3000);
      upstream.peer->say(upstream.rest.substr(0, count));
      upstream.rest.erase(0, count);
    }
  }

  void answer(Upstream& upstream) {
    const std::size_t head = upstream.got.find("\r\n\r\n");
    if (head == std::string::npos) {
      return;
    }
    std::size_t end = head + 4;
    if (upstream.got.find("\r\nContent-Length: 9000\r\n") < head) {
      end += 9000;
    } else if (upstream.got.find("\r\nTransfer-Encoding: chunked\r\n") < head) {
      const std::size_t last = upstream.got.find("\r\n0\r\n\r\n", head);
      end = last == std::string::npos ? SIZE_MAX : last + 7;
    }
    if (end > upstream.got.size() && !chance(1)) {
      return;  // now and then the answer is early
    }
    const std::size_t slash = upstream.got.find('/');
    if (slash > head) {
      return;  // the rest of a request that was answered early
    }
    const std::string body = std::string(random_() % 5000, 'x') + "<<" +
                             upstream.got.substr(slash, upstream.got.find(' ', slash) - slash) + ">>";
    if (upstream.got.find("\r\nUpgrade: echo\r\n") < head) {
      upstream.rest = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" + body;
      upstream.peer->say(upstream.rest);
      upstream.rest.clear();
      upstream.upgraded = true;
    } else if (chance(50)) {
      upstream.rest = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    } else {
      std::array<char, 16> size{};
      std::snprintf(size.data(), size.size(), "%zx", body.size());
      upstream.rest =
          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
          std::string{size.data()} + "\r\n" + body + "\r\n0\r\n\r\n";
    }
    upstream.got.erase(0, std::min(end, upstream.got.size()));
  }

  std::mt19937_64 random_;
  GatewaySite site_;
  std::array<RawServer*, 2> origins_{};
  std::deque<Client> clients_;
  std::deque<Upstream> upstreams_;
  std::size_t number_ = 0;
  int whole_ = 0;
};

TEST(GatewayStorm, HoldsNothingAfterwards) {
  for (std::uint64_t seed = 1; seed <= rounds(std::uint64_t{12}) && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm{seed};
    storm.run(1500);
  }
}

}  // namespace
}  // namespace pollux::test
