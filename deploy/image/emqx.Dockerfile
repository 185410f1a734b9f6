# EMQX with a certificate of its own (deploy/emqx). Context: the repository.
#   docker build -f deploy/image/emqx.Dockerfile -t flota-emqx .
FROM emqx/emqx:5.8.9
COPY --chmod=0755 deploy/emqx/entrypoint /usr/bin/flota-entrypoint
# Listeners, mutual TLS, authorization. What is a deployment's own (node name, cookie, API keys) comes from EMQX_… variables or mounts.
COPY --chmod=0644 emqx/conf/emqx.conf emqx/conf/acl.conf /opt/emqx/etc/
# On a volume that is mounted here, key and certificate outlive the container.
RUN mkdir -p /opt/emqx/etc/certs
ENTRYPOINT ["/usr/bin/flota-entrypoint", "/usr/bin/docker-entrypoint.sh"]
CMD ["/opt/emqx/bin/emqx", "foreground"]
