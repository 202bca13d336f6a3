-- one row per population as of :as_of: of how many expected acts what is known of everybody is worth
with sums as (
    select
        cast(sum(expected_squares) as double) as expected_squares,
        cast(sum(excess) as double) as excess
    from campaign_sums
)

select
    cast(
        case
            when excess is null or excess * 1000 <= expected_squares then 1000
            else rounded(greatest(expected_squares / excess, 0.1), 6)
        end as decimal(18, 6)
    ) as strength
from sums
