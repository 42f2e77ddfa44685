"""Networks that are trained as well, from random starts and from the teachers."""

from benchmarks.quality.rows.published import HEAD, TRAINING_DATA
from benchmarks.quality.types import Row, Table

NETWORKS = Table(
    "networks",
    "Networks that are trained as well",
    "Small networks that start at random (`student`). On 9 classes they stand beside the same networks and objective "
    "on the training images, and copies of the teachers' networks (`fine_tuned`), which learn from the generators of "
    "`head`. `student` has more steps than the other rows, and generators that learn on; its curve counts their "
    "steps, too.",
    (
        Row("student", "small networks from scratch", ("model/student.yaml",)),
        Row(
            "student_with_data",
            "small networks from scratch, with data",
            ("model/student_with_data.yaml",),
            training_images=TRAINING_DATA,
            against="student",
        ),
        Row("fine_tuned", "fine-tuned networks of the teachers", ("model/fine_tuned.yaml",), shared_generators=True),
        HEAD,
    ),
    reference="head",
    seeds=1,
    pictures=("bars", "curves"),
)
