-- one row per festival of a part as of :as_of
select
    festival,
    cast(sum(cast(expected * expected as decimal(28, 9))) as decimal(38, 9)) as expected_squares,
    cast(sum(cast((festive_count - expected) * (festive_count - expected) as decimal(28, 9)) - variance) as decimal(38, 9)) as excess
from festival_expectations
group by festival
