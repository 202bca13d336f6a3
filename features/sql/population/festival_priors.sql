-- one row per festival as of :as_of: of how many expected orders what is known of everybody is worth
with sums as (
    select
        festival,
        cast(sum(expected_squares) as double) as expected_squares,
        cast(sum(excess) as double) as excess
    from festival_sums
    group by festival
)

-- orders are Poisson with a mean that differs as a gamma's with mean 1 and shape a: their excess variance is e² / a
select
    festival,
    cast(
        case
            when excess * 1000 <= expected_squares then 1000
            else rounded(greatest(expected_squares / excess, 0.1), 6)
        end as decimal(18, 6)
    ) as strength
from sums
