"""A small Django site with django_prometheus: django_site.py PORT. Its views are /hello and /metrics."""
import sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="only for this test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django_prometheus"],
    MIDDLEWARE=["django_prometheus.middleware.PrometheusBeforeMiddleware",
                "django_prometheus.middleware.PrometheusAfterMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PROMETHEUS_EXPORT_MIGRATIONS=False)
urlpatterns = [path("", include("django_prometheus.urls")), path("hello", lambda request: HttpResponse("hello"))]

import django
django.setup()
from django.core.wsgi import get_wsgi_application
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from socketserver import ThreadingMixIn

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), server_class=Server).serve_forever()
