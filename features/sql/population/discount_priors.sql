-- one row per population as of :as_of: how much customers differ in the depth of their discounts, and everybody's returns and margin
with sums as (
    select
        cast(sum(customers) as double) as customers,
        cast(sum(line_count) as double) as line_count,
        cast(sum(line_count_squares) as double) as line_count_squares,
        cast(sum(depth_above) as double) as depth_above,
        cast(sum(depth_above_squares) as double) as squares,
        cast(sum(depth_above_between) as double) as between_squares,
        cast(sum(costed_amount) as double) as costed_amount,
        cast(sum(cost) as double) as cost,
        coalesce(cast(sum(return_count) as double), 0) as return_count
    from discount_sums
),

-- the variance within customers and between them, as a one-way analysis of variance has them
within as (
    select
        customers,
        line_count,
        line_count_squares,
        depth_above,
        between_squares,
        costed_amount,
        cost,
        return_count,
        greatest((squares - between_squares) / nullif(line_count - customers, 0), 0) as variance
    from sums
),

parted as (
    select
        customers,
        line_count,
        costed_amount,
        cost,
        return_count,
        variance,
        greatest(
            (between_squares - depth_above * depth_above / nullif(line_count, 0) - (customers - 1) * variance)
            / nullif(line_count - line_count_squares / nullif(line_count, 0), 0),
            0
        ) as variance_between
    from within
)

select
    cast(coalesce(customers, 0) as bigint) as customers,
    cast(rounded(variance_between, 9) as decimal(18, 9)) as variance_between,
    cast(
        case
            when variance is null or variance_between is null then 10
            when variance_between * 1000 <= variance then 1000
            else rounded(greatest(variance / variance_between, 0.1), 6)
        end as decimal(18, 6)
    ) as strength,
    cast(rounded(return_count / nullif(line_count, 0), 9) as decimal(18, 9)) as return_share,
    cast(rounded((costed_amount - cost) / nullif(costed_amount, 0), 9) as decimal(18, 9)) as margin_share
from parted
