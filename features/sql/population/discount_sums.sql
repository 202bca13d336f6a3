-- one row per sums of a part as of :as_of
with given_back as (
    select
        entity_id,
        count(*) as return_count
    from return_lines
    where day >= :w365
    group by entity_id
)

select
    cast(count(*) as bigint) as customers,
    cast(sum(habits.line_count) as bigint) as line_count,
    cast(sum(cast(habits.line_count as bigint) * habits.line_count) as bigint) as line_count_squares,
    cast(sum(habits.depth_above) as decimal(28, 6)) as depth_above,
    cast(sum(habits.depth_above_squares) as decimal(38, 12)) as depth_above_squares,
    cast(
        sum(
            cast(
                rounded(cast(habits.depth_above as double) * cast(habits.depth_above as double) / habits.line_count, 9)
                as decimal(18, 9)
            )
        ) as decimal(38, 9)
    ) as depth_above_between,
    cast(sum(habits.costed_amount) as decimal(38, 4)) as costed_amount,
    cast(sum(habits.cost) as decimal(38, 4)) as cost,
    cast(sum(given_back.return_count) as bigint) as return_count
from discount_habits as habits
left join given_back on habits.entity_id = given_back.entity_id
