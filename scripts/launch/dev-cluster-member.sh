# shellcheck shell=sh
# For scripts/ferry: to the coordinator of a dev-cluster it is that cluster's operator, unless it is told who it is.

# What 'dev-cluster up' left under the port of a coordinator on loopback.
_ferry_coordinator=${FERRY_COORDINATOR:-} _ferry_told=${FERRY_CONTEXT:-}${FERRY_TLS_CERT:-}${FERRY_TLS_KEY:-}${FERRY_TLS_CA:-} _ferry_before=''
for _ferry_word in "$@"; do
  case $_ferry_before in --coordinator) _ferry_coordinator=$_ferry_word ;; esac
  case $_ferry_word in
    --coordinator=*) _ferry_coordinator=${_ferry_word#*=} ;;
    --context | --context=* | --tls-* | --config | --config=* ) _ferry_told=yes ;;
  esac
  _ferry_before=$_ferry_word
done
# A configuration file may name another coordinator than the usual one.
if [ -z "$_ferry_coordinator" ] && [ -z "${FERRY_CONFIG:-}" ] \
  && [ ! -f "${XDG_CONFIG_HOME:-${HOME:-}/.config}/ferry/config.yaml" ]; then
  _ferry_coordinator=127.0.0.1:7400
fi
case $_ferry_coordinator in
  127.0.0.1:* | localhost:*)
    _ferry_known=${XDG_STATE_HOME:-${HOME:-}/.local/state}/ferry/dev-clusters/${_ferry_coordinator##*:}
    if [ -z "$_ferry_told" ] && [ -f "$_ferry_known" ]; then
      _ferry_pki=$(cat "$_ferry_known")
      FERRY_TLS_CERT=$_ferry_pki/operator/operator.crt
      FERRY_TLS_KEY=$_ferry_pki/operator/operator.key
      FERRY_TLS_CA=$_ferry_pki/ca.crt
      export FERRY_TLS_CERT FERRY_TLS_KEY FERRY_TLS_CA
    fi ;;
esac
unset _ferry_coordinator _ferry_told _ferry_before _ferry_word _ferry_known _ferry_pki
