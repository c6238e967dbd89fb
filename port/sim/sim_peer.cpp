// SimPeer and SimPeerListener: the raw ends that a test moves by hand.
#include "port/ensure.hpp"
#include "port/sim/sim_network.hpp"

namespace pollux::port {

bool SimPeer::is_open() const noexcept {
  if (!network_) {
    return false;
  }
  const auto& connection = network_->connections_[connection_];
  return connection.generation == generation_ && connection.stage != SimNetwork::Connection::Stage::free &&
         connection.ends[static_cast<std::size_t>(side_)].is_attached;
}

bool SimPeer::is_connecting() const noexcept {
  return is_open() && network_->connections_[connection_].ends[static_cast<std::size_t>(side_)].state ==
                          SimNetwork::End::State::connecting;
}

bool SimPeer::is_connected() const noexcept {
  return is_open() && network_->connections_[connection_].ends[static_cast<std::size_t>(side_)].state ==
                          SimNetwork::End::State::open;
}

bool SimPeer::saw_finish() const noexcept {
  if (!is_open()) {
    return false;
  }
  const SimPipe& incoming = network_->connections_[connection_].pipes[static_cast<std::size_t>(1 - side_)];
  return incoming.finish_arrived() && incoming.unread() == 0;
}

bool SimPeer::saw_failure() const noexcept {
  return is_open() && network_->connections_[connection_].ends[static_cast<std::size_t>(side_)].state ==
                          SimNetwork::End::State::failed;
}

Error SimPeer::failure() const noexcept {
  ENSURE(saw_failure());
  return network_->connections_[connection_].ends[static_cast<std::size_t>(side_)].failure;
}

std::size_t SimPeer::send(std::string_view bytes) const noexcept {
  if (!is_connected()) {
    return 0;
  }
  auto& connection = network_->connections_[connection_];
  const auto side = static_cast<std::size_t>(side_);
  if (connection.ends[side].is_finished) {
    return 0;
  }
  const std::size_t sent =
      connection.pipes[side].push(std::as_bytes(std::span{bytes}), connection.link, network_->now_);
  network_->activity();
  network_->settle(connection_);
  return sent;
}

std::size_t SimPeer::unread() const noexcept {
  return is_open() ? network_->connections_[connection_].pipes[static_cast<std::size_t>(1 - side_)].unread() : 0;
}

std::size_t SimPeer::receive(std::span<char> out) const noexcept {
  if (!is_open()) {
    return 0;
  }
  SimPipe& incoming = network_->connections_[connection_].pipes[static_cast<std::size_t>(1 - side_)];
  const std::size_t taken = incoming.take(std::as_writable_bytes(out));
  if (taken != 0) {
    network_->activity();
    network_->settle(connection_);
  }
  return taken;
}

void SimPeer::finish() const noexcept {
  if (!is_connected()) {
    return;
  }
  auto& connection = network_->connections_[connection_];
  connection.ends[static_cast<std::size_t>(side_)].is_finished = true;
  connection.pipes[static_cast<std::size_t>(side_)].finish(network_->now_);
  network_->activity();
  network_->settle(connection_);
}

void SimPeer::close() const noexcept {
  if (is_open()) {
    network_->close_end(connection_, side_, false);
  }
}

void SimPeer::reset() const noexcept {
  if (is_open()) {
    network_->close_end(connection_, side_, true);
  }
}

void SimPeer::lose() const noexcept {
  if (is_open()) {
    network_->lose_line(network_->connections_[connection_]);
  }
}

void SimPeer::find_again() const noexcept {
  if (is_open()) {
    network_->connections_[connection_].is_lost = false;
    network_->activity();
    network_->settle(connection_);
  }
}

SimLink& SimPeer::link() const noexcept {
  ENSURE(is_open());
  return network_->connections_[connection_].link;
}

Address SimPeer::local_address() const noexcept {
  ENSURE(is_open());
  return network_->connections_[connection_].ends[static_cast<std::size_t>(side_)].address;
}

Address SimPeer::remote_address() const noexcept {
  ENSURE(is_open());
  return network_->connections_[connection_].ends[static_cast<std::size_t>(1 - side_)].address;
}

SimPeer SimPeerListener::accept() const noexcept {
  ENSURE(network_ && network_->listeners_[listener_].is_open);
  const std::size_t connection = network_->take_from_backlog(listener_);
  return connection == SimNetwork::none
             ? SimPeer{}
             : SimPeer{*network_, connection, 1, network_->connections_[connection].generation};
}

std::size_t SimPeerListener::waiting() const noexcept {
  return network_ ? network_->listeners_[listener_].backlog_size : 0;
}

Address SimPeerListener::address() const noexcept {
  ENSURE(network_);
  return network_->listeners_[listener_].address;
}

void SimPeerListener::close() const noexcept {
  ENSURE(network_ && network_->listeners_[listener_].is_open);
  network_->close_listener(listener_);
}

}  // namespace pollux::port
