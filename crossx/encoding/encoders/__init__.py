"""Encoders (the students), which map images of one modality to unit vectors."""

from crossx.encoding.encoders.base import BackboneEncoder, EmbeddingHead, Encoder, EncoderFactory
from crossx.encoding.encoders.completed import CompletedPosteriorEncoder
from crossx.encoding.encoders.composite import CompositeEncoder, Part
from crossx.encoding.encoders.network import NetworkEncoder
from crossx.encoding.encoders.posterior import PosteriorEncoder
from crossx.encoding.encoders.reading import ReadingEncoder
from crossx.encoding.encoders.student import StudentEncoder
from crossx.encoding.encoders.teacher import FrozenTeacherEncoder, TeacherEncoder, TeacherHeadEncoder

__all__ = [
    "BackboneEncoder",
    "CompletedPosteriorEncoder",
    "CompositeEncoder",
    "EmbeddingHead",
    "Encoder",
    "EncoderFactory",
    "FrozenTeacherEncoder",
    "NetworkEncoder",
    "Part",
    "PosteriorEncoder",
    "ReadingEncoder",
    "StudentEncoder",
    "TeacherEncoder",
    "TeacherHeadEncoder",
]
