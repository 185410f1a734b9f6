# EMQX with a certificate of its own (deploy/emqx). Context: the repository.
#   docker build -f deploy/image/emqx.Dockerfile -t flota-emqx .
FROM emqx/emqx:5.8.9
COPY --chmod=0755 deploy/emqx/entrypoint /usr/bin/flota-entrypoint
# Listeners, mutual TLS, authorization. What is a deployment's own (node name, cookie, API keys) comes from EMQX_… variables or mounts.
COPY --chmod=0644 emqx/conf/emqx.conf emqx/conf/acl.conf /opt/emqx/etc/
# On a volume that is mounted here, key and certificate outlive the container.
RUN mkdir -p /opt/emqx/etc/certs
# The base image's own user, said again so that it stays. uid 1000, as who owns the volumes.
USER emqx
HEALTHCHECK --interval=20s --timeout=15s --start-period=120s --retries=4 CMD ["/opt/emqx/bin/emqx", "ctl", "status"]
ENTRYPOINT ["/usr/bin/flota-entrypoint", "/usr/bin/docker-entrypoint.sh"]
CMD ["/opt/emqx/bin/emqx", "foreground"]
