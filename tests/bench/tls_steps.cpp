// tls_steps: what mbedTLS itself costs, a client and a server in one process, bytes moved in memory. No sockets, no pollux.
//
//   tls_steps CERTIFICATE KEY full12|full13|resumed12|resumed13 COUNT    COUNT handshakes. Prints "SERVER_US CLIENT_US STEP_US STATE": the quickest
//                                                                        handshake of each end, and of the server's steps the longest with the
//                                                                        state mbedTLS was in, each at its quickest
//   tls_steps CERTIFICATE KEY record SUITE SIZE COUNT                    records of SIZE bytes with a cipher suite of TLS 1.2 (hexadecimal
//                                                                        number, as c02b). Prints "ENCRYPT_US DECRYPT_US" of one
//
// The quickest of many runs is what a machine that others use as well can tell. For instructions:
//   valgrind --tool=callgrind --callgrind-out-file=out tls_steps ... && callgrind_annotate --inclusive=yes out | grep -E 'serve_on|talk_on'
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/bench/tls_bare.hpp"

namespace {

// One direction of the connection between the two.
struct Pipe {
  std::array<unsigned char, 1 << 17> bytes{};
  std::size_t at = 0;
  std::size_t end = 0;
};
Pipe to_server;
Pipe to_client;

int put(void* object, const unsigned char* bytes, std::size_t size) {
  Pipe& pipe = *static_cast<Pipe*>(object);
  std::memcpy(pipe.bytes.data() + pipe.end, bytes, size);
  pipe.end += size;
  return static_cast<int>(size);
}

int take(void* object, unsigned char* out, std::size_t size) {
  Pipe& pipe = *static_cast<Pipe*>(object);
  const std::size_t count = std::min(size, pipe.end - pipe.at);
  if (count == 0) {
    pipe.at = pipe.end = 0;
    return MBEDTLS_ERR_SSL_WANT_READ;
  }
  std::memcpy(out, pipe.bytes.data() + pipe.at, count);
  pipe.at += count;
  return static_cast<int>(count);
}

int send_to_server(void*, const unsigned char* bytes, std::size_t size) {
  return put(&to_server, bytes, size);
}
int send_to_client(void*, const unsigned char* bytes, std::size_t size) {
  return put(&to_client, bytes, size);
}
int receive_at_server(void*, unsigned char* out, std::size_t size) {
  return take(&to_server, out, size);
}
int receive_at_client(void*, unsigned char* out, std::size_t size) {
  return take(&to_client, out, size);
}

double processor_us() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

mbedtls_ssl_context server;
mbedtls_ssl_context client;
std::array<double, 64> steps;  // the quickest of each state of the server

void check(const char* what, int code) {
  if (code != 0 && code != MBEDTLS_ERR_SSL_WANT_READ) {
    bare::fail(what, code);
  }
}

// Their own functions, so that a profiler tells one end from the other.
[[gnu::noinline]] void talk_on() {
  int code = 0;
  while (code == 0 && !bare::is_over(client)) {
    code = mbedtls_ssl_handshake_step(&client);
  }
  check("the client", code);
}

[[gnu::noinline]] void serve_on() {
  int code = 0;
  while (code == 0 && !bare::is_over(server)) {
    double& quickest = steps[static_cast<std::size_t>(server.MBEDTLS_PRIVATE(state)) % steps.size()];
    const double start = processor_us();
    code = mbedtls_ssl_handshake_step(&server);
    const double took = processor_us() - start;
    quickest = quickest == 0 || took < quickest ? took : quickest;
  }
  check("the server", code);
}

void shake_hands(double& server_us, double& client_us) {
  server_us = client_us = 0;
  while (!bare::is_over(server) || !bare::is_over(client)) {
    const double start = processor_us();
    talk_on();
    const double between = processor_us();
    serve_on();
    client_us += between - start;
    server_us += processor_us() - between;
  }
}

int handshakes(std::string_view kind, int count) {
  mbedtls_ssl_session session;
  mbedtls_ssl_session_init(&session);
  const bool is_resumed = kind.starts_with("resumed");
  double server_best = 0;
  double client_best = 0;
  for (int i = 0; i <= count; ++i) {
    mbedtls_ssl_session_reset(&server);
    mbedtls_ssl_session_reset(&client);
    to_server.at = to_server.end = to_client.at = to_client.end = 0;
    if (is_resumed && i != 0 && mbedtls_ssl_set_session(&client, &session) != 0) {
      bare::fail("mbedtls_ssl_set_session");
    }
    double server_us = 0;
    double client_us = 0;
    shake_hands(server_us, client_us);
    if (i == 0) {
      steps = {};  // the first is never resumed
    } else {
      server_best = i == 1 ? server_us : std::min(server_best, server_us);
      client_best = i == 1 ? client_us : std::min(client_best, client_us);
    }
    if (is_resumed) {
      std::array<unsigned char, 16> nothing{};
      for (int j = 0; j < 2 && kind.ends_with("13"); ++j) {  // the ticket: received, then looked at
        static_cast<void>(mbedtls_ssl_read(&client, nothing.data(), nothing.size()));
      }
      mbedtls_ssl_session_free(&session);
      mbedtls_ssl_session_init(&session);
      if (mbedtls_ssl_get_session(&client, &session) != 0) {
        bare::fail("no session to resume");
      }
    }
  }
  const auto longest = std::max_element(steps.begin(), steps.end());
  std::printf("%.1f %.1f %.1f %d\n", server_best, client_best, *longest, static_cast<int>(longest - steps.begin()));
  return 0;
}

int records(std::size_t size, int count) {
  static std::array<unsigned char, 16384> bytes;
  // Many at once: asking for the time takes as long as a small record.
  const std::size_t batch = std::max<std::size_t>(to_client.bytes.size() / 2 / size, 1);
  double server_us = 0;
  double client_us = 0;
  shake_hands(server_us, client_us);
  double encrypt_best = 0;
  double decrypt_best = 0;
  for (int i = 0; i < count; ++i) {
    const double start = processor_us();
    for (std::size_t done = 0; done < batch * size;) {
      const int code = mbedtls_ssl_write(&server, bytes.data(), size - done % size);
      check("write", code < 0 ? code : 0);
      done += static_cast<std::size_t>(code);
    }
    const double between = processor_us();
    for (std::size_t done = 0; done < batch * size;) {
      const int code = mbedtls_ssl_read(&client, bytes.data(), size - done % size);
      if (code < 0) {
        bare::fail("read", code);
      }
      done += static_cast<std::size_t>(code);
    }
    const double end = processor_us();
    to_client.at = to_client.end = 0;
    encrypt_best = i == 0 ? between - start : std::min(encrypt_best, between - start);
    decrypt_best = i == 0 ? end - between : std::min(decrypt_best, end - between);
  }
  const auto each = static_cast<double>(batch);
  std::printf("%.2f %.2f\n", encrypt_best / each, decrypt_best / each);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc > 3 ? argv[3] : "";
  const bool is_record = kind == "record" && argc == 7;
  if (!is_record &&
      (argc != 5 || (kind != "full12" && kind != "full13" && kind != "resumed12" && kind != "resumed13"))) {
    bare::fail("tls_steps: see the head of tests/bench/tls_steps.cpp");
  }
  bare::start();
  static mbedtls_ssl_config server_config;
  static mbedtls_ssl_config client_config;
  bare::configure(server_config, bare::End::server);
  bare::configure(client_config, bare::End::client);
  bare::serve(server_config, argv[1], argv[2]);
  bare::only(client_config, kind.ends_with("13"));
  static std::array<int, 2> suites{};
  if (is_record) {
    if (std::atol(argv[5]) < 1 || std::atol(argv[5]) > 16384) {
      bare::fail("tls_steps: a size from 1 to 16384");
    }
    suites[0] = static_cast<int>(std::strtol(argv[4], nullptr, 16));
    mbedtls_ssl_conf_ciphersuites(&client_config, suites.data());
  }
  mbedtls_ssl_init(&server);
  mbedtls_ssl_init(&client);
  check("setup", mbedtls_ssl_setup(&server, &server_config));
  check("setup", mbedtls_ssl_setup(&client, &client_config));
  mbedtls_ssl_set_hostname(&client, "localhost");
  mbedtls_ssl_set_bio(&server, nullptr, send_to_client, receive_at_server, nullptr);
  mbedtls_ssl_set_bio(&client, nullptr, send_to_server, receive_at_client, nullptr);
  return is_record ? records(static_cast<std::size_t>(std::atol(argv[5])), std::atoi(argv[6]))
                   : handshakes(kind, std::atoi(argv[4]));
}
