from django.contrib.auth.views import LogoutView
from django.urls import path

from webapp.accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("settings/", views.settings, name="settings"),
]
