"""Sentences kept in English, said in the reader's language."""

from django import template

from webapp.iterations import sentences

register = template.Library()
register.filter("told", sentences.told)
