#!/bin/sh
# Makes tls_certificates.hpp: keys and certificates for tests, as constants. Run once, at development time, and again when a case is added:
#
#   tests/support/make_certificates.sh > tests/support/tls_certificates.hpp
#
# The simulated clock of the tests stands at 2026-01-01, so "expired" and "not yet valid" are fixed dates around that day and everything else
# is valid from 2020 to 2099. The keys are known to everybody who reads the source: they are good for tests only.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
start=$PWD
cd "$work"

always="20200101000000Z 20991231235959Z"
past="20200101000000Z 20251231000000Z"     # ended the day before the simulated clock's
future="20260102000000Z 20991231235959Z"   # begins the day after

cat > ca.cnf <<END
[ca]
default_ca = here
[here]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
policy = anything
default_md = sha256
unique_subject = no
[anything]
commonName = supplied
organizationName = optional
[req]
distinguished_name = nothing
[nothing]
END
: > index.txt
echo 1000 > serial

ec_key() { openssl ecparam -name "$2" -genkey -noout 2>> log | openssl pkcs8 -topk8 -nocrypt -out "$1.key" 2>> log; }
rsa_key() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$1.key" 2>> log; }

# sign NAME SUBJECT ISSUER(or "self") DIGEST "START END" EXTENSIONS...
sign() {
  name=$1 subject=$2 issuer=$3 digest=$4 dates=$5
  shift 5
  printf '%s\n' '[v3]' "$@" > ext.cnf
  openssl req -new -config ca.cnf -key "$name.key" -subj "$subject" -out "$name.csr" 2>> log
  if [ "$issuer" = self ]; then
    set -- -selfsign -keyfile "$name.key"
  else
    set -- -cert "$issuer.pem" -keyfile "$issuer.key"
  fi
  openssl ca -batch -config ca.cnf -in "$name.csr" -out "$name.full" -md "$digest" -notext -startdate "${dates% *}" \
    -enddate "${dates#* }" -extfile ext.cnf -extensions v3 "$@" 2>> log
  openssl x509 -in "$name.full" -out "$name.pem" 2>> log
}

is_ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash'
is_leaf='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
authorityKeyIdentifier=keyid'
for_server='extendedKeyUsage=serverAuth'
for_client='extendedKeyUsage=clientAuth'
site_names='subjectAltName=DNS:site.test'

# ---- authorities
for ca in ca other_ca expired_ca intermediate; do ec_key $ca prime256v1; done
rsa_key rsa_ca 2048
sign ca "/O=Pollux tests/CN=Test authority" self sha256 "$always" "$is_ca"
sign other_ca "/O=Pollux tests/CN=Other authority" self sha256 "$always" "$is_ca"
sign expired_ca "/O=Pollux tests/CN=Expired authority" self sha256 "$past" "$is_ca"
sign rsa_ca "/O=Pollux tests/CN=RSA authority" self sha256 "$always" "$is_ca"
sign intermediate "/O=Pollux tests/CN=Intermediate authority" ca sha256 "$always" "$is_ca"

# ---- servers. `everywhere` has every name and address that a script of tests/http connects to.
for name in everywhere site second wildcard expired not_yet_valid wrong_name by_other_ca by_expired_ca self_signed by_intermediate wrong_usage common_name_only; do
  ec_key $name prime256v1
done
ec_key site_p384 secp384r1
ec_key odd_curve secp521r1
rsa_key site_rsa 2048
rsa_key weak_key 1024
rsa_key sha1 2048

names=DNS:localhost,IP:127.0.0.1,IP:::1
for name in site.test foo.com bar.com sub.foo.com a.sub.foo.com first.test other.test me.test h.test h device a.example b.example; do
  names=$names,DNS:$name
done
for last in 1 2 3 4 5 6 7 8; do names=$names,IP:10.0.0.$last; done
sign everywhere "/CN=Everywhere" ca sha256 "$always" "$is_leaf" "$for_server" "subjectAltName=$names"
sign site "/O=Pollux tests/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_server" "$site_names,IP:192.0.2.80,IP:2001:db8::80"
sign site_p384 "/CN=site.test" ca sha384 "$always" "$is_leaf" "$for_server" "$site_names"
sign site_rsa "/CN=site.test" rsa_ca sha256 "$always" "$is_leaf" "$for_server" "$site_names"
sign second "/CN=second.test" ca sha256 "$always" "$is_leaf" "$for_server" "subjectAltName=DNS:second.test,DNS:www.second.test"
sign wildcard "/CN=wildcard" ca sha256 "$always" "$is_leaf" "$for_server" "subjectAltName=DNS:*.wild.test"
sign expired "/CN=site.test" ca sha256 "$past" "$is_leaf" "$for_server" "$site_names"
sign not_yet_valid "/CN=site.test" ca sha256 "$future" "$is_leaf" "$for_server" "$site_names"
sign wrong_name "/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_server" "subjectAltName=DNS:elsewhere.test"
sign common_name_only "/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_server"
sign by_other_ca "/CN=site.test" other_ca sha256 "$always" "$is_leaf" "$for_server" "$site_names"
sign by_expired_ca "/CN=site.test" expired_ca sha256 "$always" "$is_leaf" "$for_server" "$site_names"
sign self_signed "/CN=site.test" self sha256 "$always" 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' "$for_server" "$site_names"
sign by_intermediate "/CN=site.test" intermediate sha256 "$always" "$is_leaf" "$for_server" "$site_names"
sign weak_key "/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_server" "$site_names"
sign sha1 "/CN=site.test" rsa_ca sha1 "$always" "$is_leaf" "$for_server" "$site_names"
sign wrong_usage "/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_client" "$site_names"
sign odd_curve "/CN=site.test" ca sha256 "$always" "$is_leaf" "$for_server" "$site_names"

# ---- clients
for name in client client_expired client_by_other_ca client_wrong_usage; do ec_key $name prime256v1; done
sign client "/O=Pollux tests/CN=Owner" ca sha256 "$always" "$is_leaf" "$for_client"
sign client_expired "/CN=Owner" ca sha256 "$past" "$is_leaf" "$for_client"
sign client_by_other_ca "/CN=Owner" other_ca sha256 "$always" "$is_leaf" "$for_client"
sign client_wrong_usage "/CN=Owner" ca sha256 "$always" "$is_leaf" "$for_server"

# ---- the header
cat <<'END'
// Keys and certificates for tests: made by make_certificates.sh, which says what each is. Do not edit. The keys are public: for tests only.
#pragma once

#include <string_view>

namespace pollux::test {

// A certificate (chain) and its key, in PEM.
struct TestCertificate {
  std::string_view certificate;
  std::string_view key;
};

namespace certificates {
END
text() { printf 'R"(%s\n)"' "$(cat "$@")"; }
comment() {
  case $1 in
    everywhere) echo 'every name and address that a script of tests/http connects to' ;;
    site) echo 'site.test, 192.0.2.80 and 2001:db8::80' ;;
    site_p384) echo 'the same name, a P-384 key, signed with SHA-384' ;;
    site_rsa) echo 'the same name, an RSA key of 2048 bits, by rsa_ca' ;;
    second) echo 'second.test and www.second.test' ;;
    wildcard) echo '*.wild.test' ;;
    expired) echo 'until 2025-12-31' ;;
    not_yet_valid) echo 'from 2026-01-02' ;;
    wrong_name) echo 'elsewhere.test, though its common name says site.test' ;;
    common_name_only) echo 'no subjectAltName' ;;
    by_other_ca) echo 'by other_ca' ;;
    by_expired_ca) echo 'by an authority that ended on 2025-12-31' ;;
    self_signed) echo 'by itself' ;;
    by_intermediate) echo 'with the intermediate that signed it' ;;
    by_intermediate_alone) echo 'without it' ;;
    weak_key) echo 'RSA of 1024 bits' ;;
    sha1) echo 'signed with SHA-1, by rsa_ca' ;;
    wrong_usage) echo 'for clients' ;;
    odd_curve) echo 'P-521, which pollux does not take' ;;
    client) echo 'CN=Owner, for clients' ;;
    client_wrong_usage) echo 'for servers' ;;
    client_expired) echo 'until 2025-12-31' ;;
    client_by_other_ca) echo 'by other_ca' ;;
    *) echo "$1" ;;
  esac
}
for ca in ca other_ca expired_ca rsa_ca; do
  printf '\ninline constexpr std::string_view %s =\n    %s;\n' $ca "$(text $ca.pem)"
done
cat by_intermediate.pem > by_intermediate_alone.pem
cp by_intermediate.key by_intermediate_alone.key
cat intermediate.pem >> by_intermediate.pem
for name in everywhere site site_p384 site_rsa second wildcard expired not_yet_valid wrong_name common_name_only by_other_ca by_expired_ca self_signed by_intermediate \
  by_intermediate_alone weak_key sha1 wrong_usage odd_curve client client_expired client_by_other_ca client_wrong_usage; do
  printf '\n// %s\ninline constexpr TestCertificate %s{\n    %s,\n    %s};\n' "$(comment $name)" $name "$(text $name.pem)" "$(text $name.key)"
done
printf '\n}  // namespace certificates\n}  // namespace pollux::test\n'
cd "$start"
