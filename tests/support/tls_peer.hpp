// Raw ends of TLS for scripts: mbedTLS by itself, nothing of stack/tls. A Peer with such a layer reads as a plain one: say() encrypts, want()
// sees clear text, finish() says close_notify before its FIN; reset(), lose() and the rest are the connection's, as ever.
//
//   TlsEnd clients{{.is_client = true, .ca = certificates::ca}};      // needs a started tls::Library: mbedTLS has one clock and one PSA
//   talk.set_layer(clients.maker());                                  // every peer from now on
//   Peer& peer = talk.connect(443);
//   peer.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");                    // the handshake goes before by itself
//   TlsPeer& tls = tls_of(peer);                                      // what only TLS has: alerts, records, what was agreed on
//
// Its memory comes from the heap, outside of the program's arena (tls_memory.hpp), its chance from a seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/conversation.hpp"
#include "tests/support/tls_certificates.hpp"

namespace pollux::test {

enum class TlsVersion : std::uint8_t { tls12, tls13 };
enum class TlsAsks : std::uint8_t { nothing, request, require };

// What many connections have in common.
struct TlsEndOptions {
  bool is_client = true;
  TlsVersion min = TlsVersion::tls12;
  TlsVersion max = TlsVersion::tls13;
  std::vector<int> suites{};                // IANA numbers, best first; empty: mbedTLS's
  std::vector<std::uint16_t> groups{};      // IANA numbers of curves; empty: mbedTLS's
  std::vector<std::uint16_t> signatures{};  // IANA numbers of signature schemes; empty: mbedTLS's
  std::vector<std::string> alpn{"http/1.1"};
  std::vector<TestCertificate> own{};
  std::string_view ca{};            // whom it trusts; empty: everybody
  TlsAsks asks = TlsAsks::nothing;  // server: for a client certificate, which it does not look at if `ca` is empty
  bool tickets = true;              // server: gives them; client: takes them
  std::uint32_t ticket_lifetime = 86400;  // server: seconds, at most seven days
  std::uint8_t fragment_code =
      0;  // client: max_fragment_length of RFC 6066: 1 is 512 bytes, 4 is 4096; 0: not asked for
  std::uint64_t seed = 1;
};

// Of one connection.
struct TlsPeerOptions {
  std::string server_name{};  // client: SNI, and what the certificate must say if there is a `ca`
  std::string session{};      // client: from TlsPeer::session(); offered for resumption
  // Client: the ticket of TLS 1.3 is a part of the beginning, which stop_reading() does not stop. A server with little room to send would
  // not get beyond it, and not to what the script is about.
  bool reads_ticket = false;
  std::size_t record_size = 0;  // bytes of text in one record at most; 0: as many as fit
  std::size_t piece_size = 0;   // bytes of ciphertext in each turn; 0: as many as the connection takes
  std::size_t split_at = 0;     // this many bytes of ciphertext, then nothing until the next turn; 0: no such place
  std::size_t damage_at = SIZE_MAX;  // one bit of this byte of ciphertext, counted from 0, is wrong
};

class TlsPeer;

class TlsEnd {
 public:
  explicit TlsEnd(TlsEndOptions options);
  ~TlsEnd();
  TlsEnd(const TlsEnd&) = delete;
  TlsEnd& operator=(const TlsEnd&) = delete;

  [[nodiscard]] std::unique_ptr<TlsPeer> make(TlsPeerOptions options = {});
  // For Conversation::set_layer(): each peer gets `options`; with `resumes` a client offers the newest session that any of them got.
  [[nodiscard]] Conversation::LayerMaker maker(TlsPeerOptions options = {}, bool resumes = false);
  [[nodiscard]] const TlsEndOptions& options() const { return options_; }

 private:
  friend class TlsPeer;
  struct State;
  TlsEndOptions options_;
  std::unique_ptr<State> state_;
  std::string newest_session_;
};

class TlsPeer final : public PeerLayer {
 public:
  TlsPeer(TlsEnd& end, TlsPeerOptions options);
  ~TlsPeer() override;

  // ---- what was agreed on, once is_open()
  [[nodiscard]] bool is_open() const { return stage_ == Stage::open; }
  [[nodiscard]] bool is_failed() const { return stage_ == Stage::failed; }
  [[nodiscard]] TlsVersion version() const;
  [[nodiscard]] std::string cipher() const;
  [[nodiscard]] std::string alpn() const;  // "": none
  [[nodiscard]] bool is_resumed() const { return is_resumed_; }
  [[nodiscard]] std::string peer_subject() const;  // "": it gave no certificate, or was resumed
  [[nodiscard]] std::uint32_t verify_flags() const;
  // For TlsPeerOptions::session; "": none (TLS 1.3: the ticket has not come yet).
  [[nodiscard]] const std::string& session() const { return session_; }
  [[nodiscard]] std::uint64_t tickets_received() const { return tickets_received_; }

  [[nodiscard]] std::size_t sent() const { return sent_; }  // bytes of ciphertext that went out

  // ---- how it ended
  [[nodiscard]] int error() const { return error_; }             // mbedTLS's, once is_failed()
  [[nodiscard]] int alert() const { return alert_; }             // the last one received, close_notify apart; -1: none
  [[nodiscard]] const std::string& raw() const { return raw_; }  // what came after it failed, as it is

  // ---- wrong things to say; they go out behind what was said before
  void say_alert(std::uint8_t level, std::uint8_t number);
  // A record of this type with this content, encrypted as the connection is by now.
  void say_record(std::uint8_t type, std::string_view content);
  void say_raw(std::string_view bytes);   // as they are
  void corrupt() { corrupts_ = true; }    // one bit of the last byte of the next record that goes out
  void keep_records() { keeps_ = true; }  // from now on, to be said again
  [[nodiscard]] const std::string& kept() const { return kept_; }
  // Server: a HelloRequest. Client: another ClientHello.
  void renegotiate();

  // ---- PeerLayer
  [[nodiscard]] bool is_beginning() const override { return stage_ == Stage::beginning; }
  [[nodiscard]] bool reads_by_itself() const override { return is_beginning() || awaits_ticket(); }
  std::size_t receive(const port::SimPeer& end, std::size_t limit, std::string& received) override;
  std::size_t send(const port::SimPeer& end, std::string_view text, std::uint64_t turn) override;
  bool finish(const port::SimPeer& end, std::uint64_t turn) override;
  [[nodiscard]] bool saw_finish() const override { return saw_notify_; }
  [[nodiscard]] std::string state() const override;

 private:
  friend class TlsEnd;
  enum class Stage : std::uint8_t { beginning, open, failed };
  struct Hooks;
  struct State;

  [[nodiscard]] bool awaits_ticket() const;
  void shake_hands();
  void read(std::string& received);
  void look_at_alert();
  void keep_session();
  void fail(int code);
  void flush();

  TlsEnd& shared_;
  TlsPeerOptions options_;
  std::unique_ptr<State> state_;
  Stage stage_ = Stage::beginning;
  port::SimPeer end_;
  std::size_t budget_ = 0;  // bytes that may be taken from the connection
  std::size_t taken_ = 0;   // and were
  std::string out_;         // ciphertext that the connection did not take yet
  std::size_t sent_ = 0;    // ciphertext, ever
  std::uint64_t turn_ = 0;
  std::uint64_t last_piece_turn_ = UINT64_MAX;
  bool notify_said_ = false;
  bool saw_notify_ = false;
  bool corrupts_ = false;
  bool keeps_ = false;
  std::string kept_;
  std::size_t made_ = 0;  // bytes of ciphertext, sent or not
  bool is_resumed_ = false;
  std::uint64_t tickets_received_ = 0;
  int error_ = 0;
  int alert_ = -1;
  std::string session_;
  std::string raw_;
};

// The layer of a peer that has one of these.
[[nodiscard]] TlsPeer& tls_of(Peer& peer);

}  // namespace pollux::test
