// Conversation: scripts in which a raw peer talks to the program under test, over SimPort. They read like Go's tests:
//
//   Conversation talk{seed};
//   EchoServer server{talk.port(), 80};
//   auto turn = [&] { server.turn(); };
//   talk.set_turn(turn);                            // or set_turn<NoAllocation>(turn): each turn inside a scope object
//   Peer& peer = talk.connect(80);
//   peer.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
//   peer.want("HTTP/1.1 200 OK\r\nDate: *\r\nContent-Length: 2\r\n\r\nhi");
//   peer.finish();
//   peer.want_closed();
//
// and in the other direction, for clients: RawServer& origin = talk.listen(80); Peer& peer = origin.accept();
//
// A call that wants something runs turns until it came, at most `patience` of virtual time; then it reports file and line of the
// script, what was wanted and what came, and goes on. Nothing sleeps. A dead peer swallows calls, so one failure does not crash.
//
// The same scripts hold over TLS: set_layer() puts something between what a peer says and what its connection carries (tls_peer.hpp).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>

#include "port/sim/sim_network.hpp"
#include "port/sim/sim_port.hpp"

namespace pollux::test {

class Conversation;

// Printable: "GET / HTTP/1.1\r\n" with the escapes written out, other bytes as \x00.
[[nodiscard]] std::string escape(std::string_view text);

// What every Date value of a message looks like after masking.
inline constexpr std::string_view masked_date = "Thu, 01 Jan 2026 00:00:00 GMT";

// Sets the value of each Date field line to masked_date: an IMF-fixdate, which has the same 29 bytes, or "*" in a script.
[[nodiscard]] std::string mask_dates(std::string_view text);

// What stands between the texts of a script and the bytes of a connection. A peer without one is plain.
class PeerLayer {
 public:
  PeerLayer() = default;
  PeerLayer(const PeerLayer&) = delete;
  PeerLayer& operator=(const PeerLayer&) = delete;
  virtual ~PeerLayer() = default;

  // Nothing can be said yet, and what comes is not for the script.
  [[nodiscard]] virtual bool is_beginning() const = 0;
  // It takes what comes even if the script does not read: until what belongs to the beginning is through.
  [[nodiscard]] virtual bool reads_by_itself() const = 0;
  // Takes at most `limit` of the bytes that arrived at `end` and appends to `received` what they mean. Returns how many it took.
  virtual std::size_t receive(const port::SimPeer& end, std::size_t limit, std::string& received) = 0;
  // Takes what it can from the front of `text` and returns how much that is; 0: not now. `turn`: for layers that send in pieces.
  virtual std::size_t send(const port::SimPeer& end, std::string_view text, std::uint64_t turn) = 0;
  // Says that nothing more will be said; true once all of it has gone out.
  virtual bool finish(const port::SimPeer& end, std::uint64_t turn) = 0;
  // The other side said so, too: an end without that is none of a layer.
  [[nodiscard]] virtual bool saw_finish() const = 0;
  // For reports.
  [[nodiscard]] virtual std::string state() const = 0;
};

// One raw end of a connection. What it says is queued without limit and goes out as the connection takes it.
class Peer {
 public:
  using Where = std::source_location;

  Peer(Conversation& talk, port::SimPeer end) : talk_{talk}, end_{end} {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // ---- saying
  Peer& say(std::string_view text);
  Peer& say_in_pieces(std::string_view text, std::size_t piece_size);  // a turn between two pieces
  Peer& say_split(std::string_view text, std::size_t at);              // two pieces
  Peer& finish();                                                      // FIN behind everything that was said
  void reset();                                                        // RST, now
  void close();                 // as a program that exits: FIN, or RST if bytes are unread
  void lose() { end_.lose(); }  // the cable is pulled: nothing comes or goes any more

  // ---- listening
  void stop_reading() { is_reading_ = false; }  // what comes stays in the connection's buffers
  void resume_reading();                        // as fast as it comes
  void read_slowly(std::uint64_t bytes_per_second);
  void keep_dates() { masks_dates_ = false; }  // dates are compared as they come

  // The next bytes are exactly `text`; they are consumed. What comes behind them is left for the next call.
  void want(std::string_view text, Where where = Where::current());
  // As want(), but nothing is consumed.
  void want_prefix(std::string_view text, Where where = Where::current());
  // `text` comes sooner or later. Consumes and returns everything up to its end.
  std::string want_containing(std::string_view text, Where where = Where::current());
  // A message head comes, and its first line has this status code. Consumes and returns it, with the empty line.
  std::string want_head(int status, Where where = Where::current());
  // `size` more bytes come. Consumes and returns them.
  std::string want_body(std::size_t size, Where where = Where::current());
  // The other side finishes, and nothing was left unconsumed. With a layer it has to say so in the layer's words.
  void want_closed(Where where = Where::current());
  // The other side finishes in the middle of something: with a layer, without its words. Nothing was left unconsumed.
  void want_cut(Where where = Where::current());
  // The connection is reset. Bytes before that are dropped.
  void want_reset(Where where = Where::current());
  // Finished or reset, whatever came before.
  void want_gone(Where where = Where::current());
  // For so long no byte comes, and no end.
  void want_nothing(port::Duration duration, Where where = Where::current());
  // The connect of a raw client has worked, and its layer has begun.
  void want_connected(Where where = Where::current());

  // ---- without waiting
  [[nodiscard]] const std::string& received() const { return received_; }  // and not consumed
  std::string take();                                                      // consumes it
  [[nodiscard]] bool is_closed() const { return end_.saw_finish(); }
  [[nodiscard]] bool is_reset() const { return end_.saw_failure(); }
  [[nodiscard]] std::size_t unsaid() const;  // bytes that the connection did not take yet
  [[nodiscard]] const port::SimPeer& end() const { return end_; }

  // From now on, with what has not been received yet. nullptr: plain.
  void set_layer(std::unique_ptr<PeerLayer> layer) { layer_ = std::move(layer); }
  [[nodiscard]] PeerLayer* layer() const { return layer_.get(); }

 private:
  friend class Conversation;

  void pump(std::uint64_t turn);  // moves queued bytes out and arrived bytes in
  void pump_out(std::uint64_t turn);
  void pump_in();
  std::size_t transmit(std::string_view text, std::uint64_t turn);
  [[nodiscard]] bool is_beginning() const { return layer_ != nullptr && layer_->is_beginning() && !is_over(); }
  [[nodiscard]] port::Time next_read() const;  // when read_slowly() takes the next byte
  [[nodiscard]] bool is_over() const { return end_.saw_finish() || end_.saw_failure() || !end_.is_open(); }
  [[nodiscard]] std::string state() const;
  [[nodiscard]] std::string connection_state() const;
  bool compare(std::string_view text, Where where);

  Conversation& talk_;
  port::SimPeer end_;
  std::unique_ptr<PeerLayer> layer_;
  std::deque<std::string> pieces_;  // to be said; one per turn
  std::uint64_t last_piece_turn_ = UINT64_MAX;
  bool finishes_ = false;  // when pieces_ is empty
  bool is_reading_ = true;
  std::uint64_t bytes_per_second_ = 0;  // 0: no limit
  double credit_ = 0;                   // bytes that may be read now
  port::Time credit_at_{};
  bool masks_dates_ = true;
  std::string received_;
};

// A raw server for programs that connect.
class RawServer {
 public:
  RawServer(Conversation& talk, port::SimPeerListener listener) : talk_{talk}, listener_{listener} {}
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  // Runs turns until somebody connects. If nobody does it reports that, and the peer is dead.
  Peer& accept(std::source_location where = std::source_location::current());
  void want_nobody(port::Duration duration, std::source_location where = std::source_location::current());
  [[nodiscard]] std::size_t waiting() const { return listener_.waiting(); }
  [[nodiscard]] port::Endpoint endpoint() const { return {.address = listener_.address()}; }
  void close() { listener_.close(); }

 private:
  Conversation& talk_;
  port::SimPeerListener listener_;
};

class Conversation {
 public:
  struct Options {
    port::SimOptions network{};
    port::SimPortOptions port{};
  };
  struct NoScope {};

  explicit Conversation(std::uint64_t seed = 1) : Conversation{Options{.network = {.seed = seed}}} {}
  explicit Conversation(const Options& options)
      : network_{options.network}, port_{network_, options.port}, seed_{options.network.seed} {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  [[nodiscard]] port::SimNetwork& network() { return network_; }
  [[nodiscard]] port::SimPort& port() { return port_; }  // of the program under test
  [[nodiscard]] port::Time now() const { return network_.now(); }

  // One turn of the program under test; it polls once. `turn` must outlive the conversation. A Scope object lives around each.
  template <typename Scope = NoScope, typename Turn>
  void set_turn(Turn& turn) {
    turn_object_ = &turn;
    turn_ = [](void* object) {
      [[maybe_unused]] const Scope scope{};
      (*static_cast<Turn*>(object))();
    };
  }
  // How long in virtual time a call waits for what it wants.
  void set_patience(port::Duration patience) { patience_ = patience; }

  // Every peer from now on gets what `make` returns; nullptr: it is plain. With listen_instead, listen(first) listens on `second`: the
  // standard port of one scheme instead of the other's.
  using LayerMaker = std::function<std::unique_ptr<PeerLayer>(bool is_client)>;
  void set_layer(LayerMaker make, std::uint16_t first = 0, std::uint16_t second = 0) {
    make_layer_ = std::move(make);
    listen_first_ = first;
    listen_second_ = second;
  }
  // Every peer is forgotten, whoever is still there with a reset; references to them end. For scripts with thousands.
  void forget_peers();
  // No peer has one any more; before what the layers stand on ends.
  void drop_layers();

  // A raw client of the program. connect() does not wait; Peer::want_connected() does.
  Peer& connect(const port::Endpoint& to);
  Peer& connect(std::uint16_t port) { return connect({.address = port::Address::ipv4_loopback(port)}); }
  Peer& connect_plain(std::uint16_t port);  // without a layer, whatever set_layer() said
  // A raw server that the program connects to.
  RawServer& listen(const port::Endpoint& at);
  RawServer& listen(std::uint16_t port) { return listen({.address = port::Address::ipv4_loopback(port)}); }

  // Says `text` over a new connection each time, cut in two at every place, and plays `script(peer)` with it.
  template <typename Script>
  void at_each_split(const port::Endpoint& to, std::string_view text, Script script) {
    for (std::size_t at = 1; at < text.size(); ++at) {
      Peer& peer = connect(to);
      peer.say_split(text, at);
      split_ = at;
      script(peer);
      peer.close();
      run_for(port::Duration{0});
    }
    split_ = 0;
  }

  // Virtual time passes, turns run.
  void advance(port::Duration duration) { run_for(duration); }
  // Turns run until `is_true()`, at most for patience; tells whether it became true.
  template <typename Condition>
  bool run_until(Condition is_true) {
    return run(
        network_.now() + patience_, [](void* object) { return (*static_cast<Condition*>(object))(); }, &is_true);
  }
  // One turn; the clock does not move past `limit`.
  void step(port::Time limit);
  [[nodiscard]] std::uint64_t turns() const { return turns_; }

  // Reports a failure of the script at `where`, with seed and, inside at_each_split, the place of the cut.
  void report(const std::source_location& where, const std::string& text) const;

 private:
  friend class Peer;
  friend class RawServer;

  // A program that took so many turns without letting time pass is spinning; the script ends with a failure.
  static constexpr std::uint64_t spin_turns_max = 500'000;

  bool run(port::Time limit, bool (*is_true)(void*), void* object);
  void run_for(port::Duration duration);
  void pump();
  Peer& add(port::SimPeer end, bool is_client);
  [[nodiscard]] bool is_beginning() const;  // some peer's layer, and it moves

  port::SimNetwork network_;
  port::SimPort port_;
  std::uint64_t seed_;
  void (*turn_)(void*) = nullptr;
  void* turn_object_ = nullptr;
  port::Duration patience_ = std::chrono::seconds{5};
  std::uint64_t turns_ = 0;
  std::size_t split_ = 0;
  LayerMaker make_layer_{};
  std::uint16_t listen_first_ = 0;
  std::uint16_t listen_second_ = 0;
  std::deque<Peer> peers_;
  std::deque<RawServer> servers_;
};

}  // namespace pollux::test
